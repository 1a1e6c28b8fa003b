//! Asking candidates for their role: all of them when the step starts, and now and then for the record.

use futures_util::future::join_all;

use crate::inventory::Instance;
use crate::runtime::Runtime;
use crate::scenario::{Ask, Bindings, Role, Secrets};

/// So much of an answer is read, and so much of it told.
const MOST_ANSWER: usize = 64 << 10;
const MOST_TOLD: usize = 100;

/// What one candidate said, or why it said nothing.
type Answer = Result<String, String>;

/// The candidates that have the role.
///
/// # Errors
/// None has it: a sentence with every answer.
pub(super) async fn filter(
    runtime: &dyn Runtime,
    role: &Role,
    candidates: Vec<Instance>,
    secrets: &Secrets,
) -> Result<Vec<Instance>, String> {
    let asker = Asker::new(runtime, secrets);
    let answers = join_all(candidates.iter().map(|one| asker.ask(role, one))).await;
    // A secret that is cut in two, or quoted, would no longer be known as one.
    let told = |text: &str| head(&secrets.redact(text));
    let said: Vec<String> = candidates
        .iter()
        .zip(&answers)
        .map(|(candidate, answer)| match answer {
            Ok(answer) => format!("{}: {:?}", candidate.identity(), told(answer)),
            Err(why) => format!("{}: {}", candidate.identity(), told(why)),
        })
        .collect();
    let have: Vec<Instance> = candidates
        .into_iter()
        .zip(answers)
        .filter(|(_, answer)| answer.as_ref().is_ok_and(|answer| *answer == role.equals))
        .map(|(candidate, _)| candidate)
        .collect();
    if have.is_empty() {
        return Err(format!(
            "none has the role {:?} ({})",
            role.equals,
            crate::plan::list(said.into_iter())
        ));
    }
    Ok(have)
}

fn head(text: &str) -> String {
    match text.char_indices().nth(MOST_TOLD) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Asks for roles, over connections of its own.
pub(super) struct Asker<'a> {
    runtime: &'a dyn Runtime,
    secrets: &'a Secrets,
    client: Result<reqwest::Client, String>,
}

impl<'a> Asker<'a> {
    pub(super) fn new(runtime: &'a dyn Runtime, secrets: &'a Secrets) -> Self {
        // reqwest is built without a default. One that is installed already does as well.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| error.to_string());
        Self {
            runtime,
            secrets,
            client,
        }
    }

    pub(super) async fn ask(&self, role: &Role, candidate: &Instance) -> Answer {
        let address = address(candidate);
        let identity = candidate.identity();
        let bindings = Bindings {
            seq: None,
            address: &address,
            name: &identity,
            service: candidate.service.as_deref().unwrap_or_default(),
            secrets: Some(self.secrets),
        };
        match &role.ask {
            Ask::Http { url } => ask_http(self.client.clone()?, &url.render(&bindings), role).await,
            Ask::Exec { command } => {
                let command: Vec<String> =
                    command.iter().map(|word| word.render(&bindings)).collect();
                let output = self
                    .runtime
                    .exec(&candidate.id, &command, role.timeout)
                    .await
                    .map_err(|error| error.to_string())?;
                match output.exit {
                    0 => Ok(output.stdout.trim().to_owned()),
                    exit => Err(format!(
                        "the command exited with {exit}: {}",
                        output.stderr.trim()
                    )),
                }
            }
        }
    }
}

/// Where it can be reached, in a URL.
fn address(instance: &Instance) -> String {
    let endpoints = || instance.networks.values();
    endpoints()
        .find(|endpoint| !endpoint.address.is_empty())
        .map(|endpoint| endpoint.address.clone())
        .or_else(|| {
            endpoints()
                .find(|endpoint| !endpoint.address_v6.is_empty())
                .map(|endpoint| format!("[{}]", endpoint.address_v6))
        })
        .unwrap_or_default()
}

async fn ask_http(client: reqwest::Client, url: &str, role: &Role) -> Answer {
    let answer = async {
        let request = client.get(url).timeout(role.timeout);
        let mut response = request.send().await?.error_for_status()?;
        let mut body = Vec::new();
        // Whoever answers without end has said enough by then.
        while body.len() < MOST_ANSWER
            && let Some(chunk) = response.chunk().await?
        {
            body.extend_from_slice(&chunk);
        }
        body.truncate(MOST_ANSWER);
        Ok(body)
    };
    let body: Result<Vec<u8>, reqwest::Error> = answer.await;
    body.map(|body| String::from_utf8_lossy(&body).trim().to_owned())
        .map_err(|error| innermost(&error))
}

/// The kernel's or the peer's own words, which reqwest wraps several times.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}
