//! Asking each candidate for its role, when the step starts.

use futures_util::future::join_all;

use crate::inventory::Instance;
use crate::runtime::Runtime;
use crate::scenario::{Ask, Bindings, Role, Secrets};

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
    let answers = join_all(
        candidates
            .iter()
            .map(|candidate| ask(runtime, role, candidate, secrets)),
    )
    .await;
    let said: Vec<String> = candidates
        .iter()
        .zip(&answers)
        .map(|(candidate, answer)| match answer {
            Ok(answer) => format!("{}: {answer:?}", candidate.identity()),
            Err(why) => format!("{}: {why}", candidate.identity()),
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
            said.join("; ")
        ));
    }
    Ok(have)
}

async fn ask(
    runtime: &dyn Runtime,
    role: &Role,
    candidate: &Instance,
    secrets: &Secrets,
) -> Answer {
    let address = address(candidate);
    let identity = candidate.identity();
    let bindings = Bindings {
        seq: None,
        address: &address,
        name: &identity,
        service: candidate.service.as_deref().unwrap_or_default(),
        secrets: Some(secrets),
    };
    match &role.ask {
        Ask::Http { url } => ask_http(&url.render(&bindings), role).await,
        Ask::Exec { command } => {
            let command: Vec<String> = command.iter().map(|word| word.render(&bindings)).collect();
            let output = runtime
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

async fn ask_http(url: &str, role: &Role) -> Answer {
    // reqwest is built without a default. One that is installed already does as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(role.timeout)
        .build()
        .map_err(|error| error.to_string())?;
    let answer = async {
        let response = client.get(url).send().await?.error_for_status()?;
        response.text().await
    };
    answer
        .await
        .map(|text| text.trim().to_owned())
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
