//! TLS for `https` probes. Certificates are loaded only when a probe needs them.

use std::io;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::shot::Miss;

#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Trusts what this host trusts (`SSL_CERT_FILE` included).
    pub(super) fn of_this_host() -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|error| {
                format!(
                    "loading this host's certificates for an https probe: {error}; \
                     install them (Debian: ca-certificates) or name a file in SSL_CERT_FILE"
                )
            })?;
        Ok(Self::with(config.with_no_client_auth()))
    }

    pub(super) fn with(config: ClientConfig) -> Self {
        Self(TlsConnector::from(Arc::new(config)))
    }

    pub(super) async fn wrap(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> Result<TlsStream<TcpStream>, Miss> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Miss::bad("tls failed"))?;
        self.0
            .connect(name, stream)
            .await
            .map_err(|error| miss(&error))
    }
}

fn miss(error: &io::Error) -> Miss {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    match inner {
        Some(rustls::Error::InvalidCertificate(_)) => Miss::bad("certificate refused"),
        Some(_) => Miss::bad("tls failed"),
        None => Miss::from(error),
    }
}
