//! Where the engine is: `DOCKER_HOST`, a docker context, or a socket at one of the usual places.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::call::NO_ENGINE;
use crate::runtime::{Result, RuntimeError};
use crate::units::kernel_words;

const SUPPORTED: &str = "supported are unix:///path/to/docker.sock and tcp://host:port";

/// An address that chaosrun can speak to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Unix(PathBuf),
    /// `host:port`, without TLS.
    Tcp(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

impl Endpoint {
    /// Is it this machine's own engine? A socket elsewhere may be forwarded from another machine, or lead into a VM.
    pub(super) fn is_local(&self) -> bool {
        matches!(self, Self::Unix(path) if path.starts_with("/var/run") || path.starts_with("/run"))
    }

    /// Reads `unix://…`, `tcp://…`, `http://…` or a bare path.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        match text.split_once("://") {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp" | "http", address)) => tcp(text, address.trim_end_matches('/')),
            Some(("ssh", host)) => Err(unsupported(
                text,
                "ssh is not supported",
                &format!(
                    "forward the socket yourself: `ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock {host}`, \
                     then DOCKER_HOST=unix:///tmp/engine.sock; {SUPPORTED}"
                ),
            )),
            Some(("https", _)) => Err(no_tls(text)),
            Some((scheme, _)) => Err(unsupported(
                text,
                &format!("{scheme}:// is not supported"),
                SUPPORTED,
            )),
            None => Err(unsupported(text, "this is no address", SUPPORTED)),
        }
    }

    /// As the docker client would choose it, then Podman's socket.
    pub(super) fn choose(var: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        if let Some(host) = var("DOCKER_HOST") {
            let endpoint = Self::parse(&host)?;
            let wants_tls = var("DOCKER_TLS_VERIFY").or_else(|| var("DOCKER_TLS"));
            return match endpoint {
                Self::Tcp(_) if wants_tls.is_some() => Err(no_tls(&host)),
                _ => Ok(endpoint),
            };
        }
        let home = var("HOME").map(PathBuf::from);
        let config = var("DOCKER_CONFIG")
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".docker")));
        if let Some(folder) = &config
            && let Some(name) = var("DOCKER_CONTEXT").or_else(|| current_context(folder))
            && name != "default"
        {
            return context(folder, &name);
        }
        socket(&usual_places(
            var("XDG_RUNTIME_DIR").as_deref(),
            home.as_deref(),
        ))
    }
}

fn tcp(text: &str, address: &str) -> Result<Endpoint> {
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (address, "2375"),
    };
    let host = if host.is_empty() { "localhost" } else { host };
    match port.parse::<u16>() {
        Ok(port) if !host.contains('/') => Ok(Endpoint::Tcp(format!("{host}:{port}"))),
        _ => Err(unsupported(text, "this is no host and port", SUPPORTED)),
    }
}

/// In the order in which they are looked for.
fn usual_places(runtime_dir: Option<&str>, home: Option<&Path>) -> Vec<PathBuf> {
    let mut places = vec![PathBuf::from("/var/run/docker.sock")];
    let of_user = |name: &str| runtime_dir.map(|dir| Path::new(dir).join(name));
    places.extend(of_user("docker.sock"));
    places.extend(home.map(|home| home.join(".docker/run/docker.sock")));
    places.extend(of_user("podman/podman.sock"));
    places.push("/run/podman/podman.sock".into());
    places
}

fn socket(places: &[PathBuf]) -> Result<Endpoint> {
    // One that is there but cannot be looked at still answers with the kernel's reason when it is connected to.
    let there = |path: &&PathBuf| path.symlink_metadata().is_ok();
    if let Some(path) = places.iter().find(there) {
        return Ok(Endpoint::Unix(path.clone()));
    }
    let names: Vec<_> = places.iter().map(|p| p.display().to_string()).collect();
    Err(RuntimeError::Unreachable {
        tried: "looking for an engine".into(),
        said: format!("there is no socket at {}", names.join(", ")),
        hint: NO_ENGINE.into(),
    })
}

fn current_context(folder: &Path) -> Option<String> {
    #[derive(Deserialize)]
    struct Config {
        #[serde(rename = "currentContext")]
        current: Option<String>,
    }
    let text = std::fs::read(folder.join("config.json")).ok()?;
    let config: Config = serde_json::from_slice(&text).ok()?;
    config.current.filter(|name| !name.is_empty())
}

#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints")]
    endpoints: Endpoints,
}

#[derive(Deserialize)]
struct Endpoints {
    docker: Option<Place>,
}

#[derive(Deserialize)]
struct Place {
    #[serde(rename = "Host")]
    host: String,
}

fn context(folder: &Path, name: &str) -> Result<Endpoint> {
    // The docker client names a context's folder by the digest of its name.
    let digest = super::tarball::hex(&Sha256::digest(name.as_bytes()));
    let file = folder.join("contexts/meta").join(&digest).join("meta.json");
    let tried = format!("reading docker context {name:?} from {}", file.display());
    let wrong = |said: String| RuntimeError::Unreachable {
        tried: tried.clone(),
        said,
        hint: "see `docker context ls`, or say where the engine is in DOCKER_HOST".into(),
    };
    let text = std::fs::read(&file).map_err(|e| wrong(kernel_words(&e)))?;
    let meta: Meta = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    let place = meta
        .endpoints
        .docker
        .ok_or_else(|| wrong("it has no docker endpoint".into()))?;
    let endpoint = Endpoint::parse(&place.host)?;
    let has_tls = folder.join("contexts/tls").join(digest).exists();
    match endpoint {
        Endpoint::Tcp(_) if has_tls => Err(no_tls(&place.host)),
        _ => Ok(endpoint),
    }
}

fn no_tls(address: &str) -> RuntimeError {
    unsupported(
        address,
        "tls is not supported",
        &format!("forward the engine's socket over ssh, and set DOCKER_HOST to it; {SUPPORTED}"),
    )
}

fn unsupported(address: &str, said: &str, hint: &str) -> RuntimeError {
    RuntimeError::Unreachable {
        tried: format!("connecting to the engine at {address:?}"),
        said: said.into(),
        hint: hint.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(vars: &[(&str, &str)]) -> Result<Endpoint> {
        Endpoint::choose(&|name| {
            let found = vars.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn addresses_are_read_and_written_alike() {
        for (text, shown) in [
            ("unix:///run/x.sock", "unix:///run/x.sock"),
            ("/run/x.sock", "unix:///run/x.sock"),
            ("tcp://10.0.0.1:2376", "tcp://10.0.0.1:2376"),
            ("tcp://build", "tcp://build:2375"),
            ("http://[::1]:99/", "tcp://[::1]:99"),
            ("tcp://:2375", "tcp://localhost:2375"),
        ] {
            assert_eq!(Endpoint::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_not_supported_says_what_is() {
        for (text, said) in [
            ("ssh://me@host", "ssh is not supported"),
            ("https://host:2376", "tls is not supported"),
            ("npipe:////./pipe/docker", "npipe:// is not supported"),
            ("host", "this is no address"),
            ("tcp://host:port", "this is no host and port"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("connecting to the engine at {text:?}: {said}")
            );
            assert!(error.hint().contains(SUPPORTED), "{}", error.hint());
        }
    }

    #[test]
    fn docker_host_outranks_everything_and_tls_is_refused() {
        let host = ("DOCKER_HOST", "tcp://host:1");
        let found = chosen(&[host, ("DOCKER_CONTEXT", "nowhere")]).unwrap();
        assert_eq!(found, Endpoint::Tcp("host:1".into()));
        let error = chosen(&[host, ("DOCKER_TLS_VERIFY", "1")]).unwrap_err();
        assert!(error.to_string().ends_with("tls is not supported"));
    }

    #[test]
    fn a_context_is_followed_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_str().unwrap();
        std::fs::write(
            folder.path().join("config.json"),
            r#"{"currentContext":"far"}"#,
        )
        .unwrap();
        let error = chosen(&[("DOCKER_CONFIG", path)]).unwrap_err();
        assert!(error.to_string().contains("docker context \"far\""));
        assert!(error.to_string().contains("no such file"));

        let digest = super::super::tarball::hex(&Sha256::digest(b"far"));
        let meta = folder.path().join("contexts/meta").join(&digest);
        std::fs::create_dir_all(&meta).unwrap();
        std::fs::write(
            meta.join("meta.json"),
            r#"{"Name":"far","Endpoints":{"docker":{"Host":"tcp://far:1"}}}"#,
        )
        .unwrap();
        let far = Endpoint::Tcp("far:1".into());
        assert_eq!(chosen(&[("DOCKER_CONFIG", path)]).unwrap(), far);
        std::fs::create_dir_all(folder.path().join("contexts/tls").join(&digest)).unwrap();
        let error = chosen(&[("DOCKER_CONFIG", path)]).unwrap_err();
        assert!(error.to_string().ends_with("tls is not supported"));
    }

    #[test]
    fn dockers_socket_comes_before_podmans_and_none_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let (docker, podman) = (folder.path().join("d.sock"), folder.path().join("p.sock"));
        let places = [docker.clone(), podman.clone()];
        let error = socket(&places).unwrap_err();
        assert!(error.to_string().contains("there is no socket at "));
        assert!(error.hint().contains("apt-get install docker.io"));
        std::fs::write(&podman, "").unwrap();
        assert_eq!(socket(&places).unwrap(), Endpoint::Unix(podman));
        std::fs::write(&docker, "").unwrap();
        assert_eq!(socket(&places).unwrap(), Endpoint::Unix(docker));
    }
}
