//! Who is where. Nodes are found by name and asked for their number again and again, so a container that comes back with
//! another address is found there, and no address is ever trusted to belong to a number for longer than a round.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;

/// Between rounds; shorter until everybody has been seen once.
const ROUND: Duration = Duration::from_millis(500);
const FIRST_ROUNDS: Duration = Duration::from_millis(100);
/// For one name or one node to answer.
const PATIENCE: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(super) struct Directory {
    names: Vec<String>,
    expected: usize,
    client: reqwest::Client,
    book: RwLock<BTreeMap<u64, SocketAddr>>,
}

impl Directory {
    pub(super) fn new(names: Vec<String>, expected: usize, client: reqwest::Client) -> Self {
        Self {
            names,
            expected,
            client,
            book: RwLock::default(),
        }
    }

    /// Where that node was last seen.
    pub(super) fn address(&self, node: u64) -> Option<SocketAddr> {
        self.read(|book| book.get(&node).copied())
    }

    /// Every node's number, once all of them have been seen; this one is among them.
    pub(super) fn everybody(&self) -> Option<Vec<u64>> {
        self.read(|book| (book.len() == self.expected).then(|| book.keys().copied().collect()))
    }

    pub(super) fn snapshot(&self) -> BTreeMap<u64, SocketAddr> {
        self.read(Clone::clone)
    }

    /// Never ends.
    pub(super) async fn keep_fresh(&self) {
        loop {
            self.refresh().await;
            let pause = match self.everybody() {
                Some(_) => ROUND,
                None => FIRST_ROUNDS,
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn refresh(&self) {
        let found = join_all(self.names.iter().map(|name| resolve(name))).await;
        let asked = found.into_iter().flatten().map(|address| async move {
            let id = self.ask(address).await?;
            Some((id, address))
        });
        let answers = join_all(asked).await;
        self.book
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(answers.into_iter().flatten());
    }

    async fn ask(&self, address: SocketAddr) -> Option<u64> {
        let answer = self
            .client
            .get(format!("http://{address}/node"))
            .timeout(PATIENCE)
            .send()
            .await
            .ok()?;
        answer.text().await.ok()?.parse().ok()
    }

    fn read<T>(&self, look: impl FnOnce(&BTreeMap<u64, SocketAddr>) -> T) -> T {
        look(&self.book.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Nothing when the name is unknown or its server silent: the next round asks again.
async fn resolve(name: &str) -> Vec<SocketAddr> {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host(name)).await {
        Ok(Ok(addresses)) => addresses.collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;

    use super::*;

    #[tokio::test]
    async fn nodes_are_known_by_the_number_they_give() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let app = Router::new().route("/node", get(async || "17"));
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, app).await.unwrap() });

        let client = crate::demo::peers::client().unwrap();
        let directory = Directory::new(vec![here.to_string()], 1, client);
        assert_eq!(directory.everybody(), None);
        directory.refresh().await;
        assert_eq!(directory.everybody(), Some(vec![17]));
        assert_eq!(directory.address(17), Some(here));
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_no_node() {
        let client = crate::demo::peers::client().unwrap();
        let directory = Directory::new(vec!["nobody.invalid:1".into()], 1, client);
        directory.refresh().await;
        assert_eq!(directory.everybody(), None);
    }
}
