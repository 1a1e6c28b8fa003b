use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(chaosrun::cli::main())
}
