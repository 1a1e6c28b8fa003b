//! Accepts connections, few at a time and none for ever.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::feed::{self, News};
use super::gate::Gate;
use super::routes::{self, Shared};

/// Connections at the same time; whoever comes then waits.
const CONNECTIONS: usize = 64;

/// A request's head must have come by then.
const HEAD_WITHIN: Duration = Duration::from_secs(5);

/// Of a request's head, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;

/// How long the last drawing, and then what is under way to browsers, may take once chaosrun ends.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

pub(super) async fn serve(
    listener: TcpListener,
    gate: Arc<Gate>,
    news: mpsc::Receiver<News>,
    mut end: oneshot::Receiver<()>,
) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let (view, feed) = feed::channel();
    let (ending, ended) = tokio::sync::watch::channel(false);
    let mut drawing = JoinSet::new();
    drawing.spawn(feed.run(news));
    let router = routes::router(Arc::new(Shared::new(gate, view, ended)));
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        let accepted = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        tokio::select! {
            biased;
            _ = &mut end => break,
            Some(_) = open.join_next() => {}
            (slot, accepted) = accepted => match accepted {
                Ok((stream, _)) => {
                    let router = router.clone();
                    open.spawn(async move {
                        one(stream, router).await;
                        drop(slot);
                    });
                }
                // Out of file descriptors, most often: others may end meanwhile.
                Err(_) => sleep(Duration::from_millis(100)).await,
            }
        }
    }
    drop(listener);
    let drawn = async { while drawing.join_next().await.is_some() {} };
    let _unfinished = timeout(LAST_ANSWERS, drawn).await;
    ending.send_replace(true);
    let all = async { while open.join_next().await.is_some() {} };
    let _cut = timeout(LAST_ANSWERS, all).await;
}

/// One request a connection: an idle one would hold a slot.
async fn one(stream: TcpStream, router: Router) {
    let service = TowerToHyperService::new(router);
    let answered = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .max_buf_size(LONGEST_HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    // Whoever hangs up in the middle was not waiting for it.
    let _gone = answered;
}
