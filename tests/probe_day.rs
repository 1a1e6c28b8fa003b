//! A day of probing fits into the memory of a minute of it. Alone in its file: it looks at the memory of its whole process.

#[path = "support/day.rs"]
mod day;
mod support;

/// The whole day takes minutes without optimisation, so there an hour stands for it; `cargo bench --bench probe` shows the day.
const SECONDS: u64 = if cfg!(debug_assertions) {
    3_600
} else {
    86_400
};

#[tokio::test(start_paused = true)]
async fn memory_does_not_grow_with_the_length_of_the_run() {
    let outcome = day::probe_for(SECONDS).await;
    let sum = outcome.sum;
    assert_eq!(
        (sum.planned, sum.sent, sum.good, outcome.buckets),
        (SECONDS * 100, SECONDS * 100, SECONDS * 100, SECONDS)
    );
    assert!(
        outcome.grown_kib < 2_048,
        "grew by {} KiB",
        outcome.grown_kib
    );
}
