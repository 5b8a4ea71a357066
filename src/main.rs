//! The program: hands its arguments to [`s3plan::cli`] and its answer to the shell.

use std::process::ExitCode;

fn main() -> ExitCode {
    s3plan::cli::run(std::env::args_os())
}
