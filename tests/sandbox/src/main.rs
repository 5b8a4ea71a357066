//! `s3plan-sandbox`: starts the pretend account of a `world.toml` and says how to reach it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use s3plan_sandbox::{Sandbox, World};

/// A pretend AWS account on a loopback port
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// What is in the account; without it the account is empty
    #[arg(long, value_name = "FILE")]
    world: Option<PathBuf>,
    /// Port of 127.0.0.1; 0 for a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// User whose settings are printed; the world's first unless named
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let world = args.world.as_ref().map(World::load).transpose()?.unwrap_or_default();
    let sandbox = Sandbox::on_port(&world, args.port)?;
    let users = sandbox.users();
    let user = match &args.user {
        Some(name) if users.contains(name) => name,
        Some(name) => {
            return Err(format!("no user `{name}`; there are {}", users.join(", ")).into());
        }
        None => users.first().ok_or("the world has no user")?,
    };
    println!("# account {} answers at {}", world.account, sandbox.endpoint());
    println!("# buckets: {}", world.buckets.keys().cloned().collect::<Vec<_>>().join(" "));
    println!("# you are {user}; to be someone else: --user {}", users.join("|"));
    for (name, value) in sandbox.env(user) {
        println!("export {name}={value}");
    }
    println!("# Ctrl-C ends it");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(tokio::signal::ctrl_c())?;
    Ok(())
}
