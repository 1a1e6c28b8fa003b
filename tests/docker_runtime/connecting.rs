//! Finding the engine, and saying why it is not there.

use std::time::{Duration, Instant};

use chaosrun::runtime::RuntimeError;
use chaosrun::runtime::docker::Docker;

use crate::stage;

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the time is what is tested")]
async fn it_is_quick_and_can_be_repeated_from_its_endpoint() {
    let begun = Instant::now();
    let engine = Docker::connect().await.unwrap();
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(100), "{took:?}");
    let again = Docker::connect_to(&engine.endpoint()).await.unwrap();
    assert_eq!(again.endpoint(), engine.endpoint());
}

#[tokio::test]
async fn no_socket_says_what_to_install_or_start() {
    let error = Docker::connect_to("unix:///nowhere/docker.sock").await;
    let error = error.err().unwrap();
    assert_eq!(
        error.to_string(),
        "connecting to the engine at unix:///nowhere/docker.sock: no such file or directory"
    );
    for advice in [
        "dockerd",
        "apt-get install docker.io docker-compose",
        "DOCKER_HOST",
    ] {
        assert!(error.hint().contains(advice), "{}", error.hint());
    }
}

#[tokio::test]
async fn no_permission_says_whom_to_become() {
    const SOCKET: &str = "unix:///var/run/docker.sock";
    if stage::role().is_some() {
        // As nobody.
        let error = Docker::connect_to(SOCKET).await.err().unwrap();
        assert!(matches!(error, RuntimeError::Unreachable { .. }));
        assert_eq!(
            error.to_string(),
            format!("connecting to the engine at {SOCKET}: permission denied")
        );
        assert!(error.hint().contains("usermod -aG docker"));
        assert!(error.hint().contains("sudo"));
        return;
    }
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let test = "connecting::no_permission_says_whom_to_become";
    let output = stage::again(test, "nobody", &nobody).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
async fn what_is_no_engine_is_said_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let serve = async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut request).await.unwrap();
        }
        stream
            .write_all(b"HTTP/1.0 200 OK\r\n\r\nhello")
            .await
            .unwrap();
    };
    let endpoint = path.display().to_string();
    let (engine, ()) = tokio::join!(Docker::connect_to(&endpoint), serve);
    let error = engine.err().unwrap();
    assert!(
        error.to_string().ends_with("does not speak the docker api"),
        "{error}"
    );
    assert_eq!(error.hint(), "is DOCKER_HOST right?");
}
