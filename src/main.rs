//! The program: hands its arguments to [`s3plan::cli`] and its answer to the shell.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use mimalloc::MiMalloc;

/// Pages and bodies pass from thread to thread here, and glibc keeps what they leave free in one of
/// many heaps: a million objects took up to 214 MiB with it, and more time.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// For how many milliseconds the allocator keeps memory that is free.
///
/// Source: mimalloc, "Environment Options"; it reads them before `main`.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

fn main() -> ExitCode {
    keep_no_free_memory();
    s3plan::cli::run(env::args_os())
}

/// Becomes the same program once more, with the allocator told to give free memory back at once: what
/// a second leaves free, which is its default, is as much again as all that is in use. Stays as it is
/// where somebody has told it something already, or where that fails.
fn keep_no_free_memory() {
    if env::var_os(PURGE_DELAY).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    let mut args = env::args_os();
    let mut anew = Command::new(&program);
    anew.arg0(args.next().unwrap_or_else(|| program.into_os_string()));
    // Answers only where it failed.
    let _ = anew.args(args).env(PURGE_DELAY, "0").exec();
}
