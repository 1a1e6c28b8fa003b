//! Which connection a request goes over.

use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;

use super::*;
use crate::inventory::Inventory;
use crate::probe::testing::instance_at;

#[tokio::test]
async fn connections_are_kept_and_a_closed_one_costs_no_request() {
    let (ctx, _world, _readings) = context(vec![]);
    for (answer, connections) in [
        (OK.to_owned(), 1),
        (OK.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"), 20),
    ] {
        let server = Server::new(&answer).await;
        let http = Http::new(&get(&server.url()), &ctx).unwrap();
        for seq in 0..20 {
            assert_eq!(http.shoot(seq).await, Ok(()));
        }
        assert_eq!(server.connections(), connections);
    }
    // Closed by the server while nobody used it.
    let server = Server::new(OK).await;
    let http = Http::new(&get(&server.url()), &ctx).unwrap();
    assert_eq!(http.shoot(0).await, Ok(()));
    let address = server.address;
    drop(server);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let _again = Server::at("127.0.0.1", address.port(), OK, None).await;
    assert_eq!(http.shoot(1).await, Ok(()));
}

#[tokio::test]
async fn a_container_is_followed_to_its_new_address_and_into_its_new_life() {
    let old = Server::at("127.0.0.2", 0, OK, None).await;
    let port = old.address.port();
    let new = Server::at("127.0.0.3", port, OK, None).await;
    let (ctx, world, _readings) = context(vec![instance_at("node-1", "127.0.0.2")]);
    let http = Http::new(&get(&format!("http://node:{port}/")), &ctx).unwrap();
    assert_eq!(http.shoot(0).await, Ok(()));
    assert_eq!((old.connections(), new.connections()), (1, 0));

    let show = |instance| {
        world.send_replace(Arc::new(Inventory {
            instances: vec![instance],
            ..Inventory::default()
        }));
    };
    // The old address still answers: it could be another container's by now.
    let mut moved = instance_at("node-1", "127.0.0.3");
    moved.started_at = "2026-01-01T00:01:00Z".into();
    show(moved.clone());
    for seq in 1..4 {
        assert_eq!(http.shoot(seq).await, Ok(()));
    }
    assert_eq!((old.connections(), new.connections()), (1, 1));

    moved.started_at = "2026-01-01T00:02:00Z".into();
    show(moved.clone());
    assert_eq!(http.shoot(4).await, Ok(()));
    assert_eq!(
        new.connections(),
        2,
        "the connection to the earlier life is not used"
    );

    moved.state = crate::inventory::State::Exited { code: 137 };
    show(moved);
    assert_eq!(http.shoot(5).await, Err(Miss::bad("name not found")));
}

#[tokio::test]
async fn replicas_share_the_requests_and_one_that_refuses_is_passed_over() {
    let first = Server::at("127.0.0.2", 0, OK, None).await;
    let port = first.address.port();
    let second = Server::at("127.0.0.3", port, &OK.replace("ok", "OK"), None).await;
    let three = ["node-1", "node-2", "node-3"]
        .iter()
        .zip(["127.0.0.2", "127.0.0.3", "127.0.0.4"]);
    let (ctx, _world, _readings) = context(three.map(|(name, ip)| instance_at(name, ip)).collect());
    let http = Http::new(&get(&format!("http://node:{port}/")), &ctx).unwrap();
    for seq in 0..9 {
        assert_eq!(http.shoot(seq).await, Ok(()), "nobody listens on the third");
    }
    assert_eq!((first.connections(), second.connections()), (1, 1));
}

#[tokio::test]
async fn ipv6_works_by_address_and_by_name() {
    let server = Server::at("::1", 0, OK, None).await;
    assert_eq!(once(&server.url()).await, Ok(()));
    let mut six = instance_at("six-1", "");
    six.networks.values_mut().next().unwrap().address_v6 = "::1".into();
    let (ctx, _world, _readings) = context(vec![six]);
    let url = format!("http://six:{}/", server.address.port());
    assert_eq!(Http::new(&get(&url), &ctx).unwrap().shoot(0).await, Ok(()));
}

#[tokio::test]
async fn https_trusts_whom_it_should_and_nobody_else() {
    let made = rcgen::generate_simple_self_signed(vec!["web".into()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server_config = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server_config));
    let server = Server::at("127.0.0.2", 0, OK, Some(acceptor)).await;
    let (ctx, _world, _readings) = context(vec![
        instance_at("web-1", "127.0.0.2"),
        instance_at("other-1", "127.0.0.2"),
    ]);
    let trusting = |roots: rustls::RootCertStore| {
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Some(Tls::with(config))
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let shoot = async |host: &str, tls| {
        let probe = get(&format!("https://{host}:{}/", server.address.port()));
        let first = prepare(&probe, 0, &ctx.secrets).unwrap();
        let http = Http::with(&probe, &ctx, first, tls);
        http.shoot(0).await?;
        http.shoot(1).await
    };
    assert_eq!(shoot("web", trusting(roots.clone())).await, Ok(()));
    assert_eq!(server.connections(), 1);
    let refused = Err(Miss::bad("certificate refused"));
    assert_eq!(
        shoot("other", trusting(roots)).await,
        refused,
        "another name"
    );
    assert_eq!(
        shoot("web", trusting(rustls::RootCertStore::empty())).await,
        refused
    );
    assert_eq!(
        shoot("web", Some(Tls::of_this_host().unwrap())).await,
        refused
    );
}
