use std::process::ExitCode;

fn main() -> ExitCode {
    chaosrun::cli::main()
}
