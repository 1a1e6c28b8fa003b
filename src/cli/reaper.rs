//! The reaper's own process: see [`crate::engine::reaper`].

use std::path::Path;

use super::{code, recover, term};
use crate::engine::reaper::wait_for_death;
use crate::engine::recover::reap;

pub(super) async fn main(journal: &Path) -> u8 {
    let path = journal.to_owned();
    let died = tokio::task::spawn_blocking(|| wait_for_death(std::io::stdin())).await;
    if matches!(died, Ok(Ok(false))) {
        return code::OK;
    }
    match reap(&path, &*recover::connect()).await {
        Ok(None) => code::OK,
        Ok(Some(recovered)) => recover::tell(&[recovered]),
        Err(error) => {
            term::error(
                &format!("recovering {}: {error}", path.display()),
                "`chaosrun recover` tries again",
            );
            code::DIRTY
        }
    }
}
