//! What runs on a real engine left, made again from its history byte for byte. `BLESS=1 cargo test --test report` writes it anew.

use std::path::{Path, PathBuf};

use chaosrun::history::fold;
use chaosrun::report;
use chaosrun::verdict::judge;

fn samples() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/samples");
    let folders = std::fs::read_dir(root).expect("there are samples");
    folders
        .filter_map(|folder| Some(folder.ok()?.path()))
        .filter(|folder| folder.is_dir())
        .collect()
}

#[test]
fn every_sample_is_made_again_byte_for_byte() {
    let all = samples();
    assert!(all.len() >= 3);
    for folder in all {
        let history = std::fs::read(folder.join("history.jsonl")).expect("it is recorded");
        let record = fold(history.split(|byte| *byte == b'\n')).expect("it reads");
        for (file, made) in report::render_all(&record, &judge(&record)) {
            let path = folder.join(file);
            if std::env::var_os("BLESS").is_some() {
                std::fs::write(&path, &made).expect("it can be written");
            }
            let known = std::fs::read_to_string(&path).expect("it is there");
            assert!(known == made, "{} is not what is made now", path.display());
        }
    }
}
