//! The sandbox as a process of its own: this program, started again.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use s3plan_sandbox::{Sandbox, World};

/// A sandbox in another process; it ends with this value.
pub struct Server {
    child: Child,
    /// What finds it, as environment.
    pub env: Vec<(String, String)>,
    address: String,
}

/// What the other process does: serves until its standard input ends.
///
/// # Errors
/// Where the world cannot be had.
pub fn serve(world: &Path) -> Result<(), String> {
    let world = World::load(world).map_err(|error| error.to_string())?;
    let sandbox = Sandbox::on_port(&world, 0).map_err(|error| error.to_string())?;
    let user = sandbox.users().first().cloned().ok_or("the world has no user")?;
    for (name, value) in sandbox.env(&user) {
        println!("{name}={value}");
    }
    println!();
    let _ = std::io::stdin().read(&mut [0]);
    Ok(())
}

impl Server {
    /// Starts a server of this world.
    ///
    /// # Errors
    /// Where it does not come up.
    pub fn start(world: &str, folder: &Path) -> Result<Self, String> {
        let file = folder.join("world.toml");
        fs::write(&file, world).map_err(|error| format!("{}: {error}", file.display()))?;
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut child = Command::new(program)
            .arg("--serve")
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the server does not start: {error}"))?;
        let mut env = Vec::new();
        for line in BufReader::new(child.stdout.take().ok_or("no output")?).lines() {
            let line = line.map_err(|error| error.to_string())?;
            let Some((name, value)) = line.split_once('=') else { break };
            env.push((name.to_owned(), value.to_owned()));
        }
        let address = env
            .iter()
            .find_map(|(name, value)| {
                (name == "AWS_ENDPOINT_URL").then(|| value.trim_start_matches("http://").to_owned())
            })
            .ok_or("the server did not come up")?;
        Ok(Self { child, env, address })
    }

    /// A value of its environment.
    pub fn var(&self, name: &str) -> &str {
        self.env.iter().find_map(|(n, value)| (n == name).then_some(value.as_str())).unwrap_or("")
    }

    /// Where it listens, as `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The processor time it used so far.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.unwrap_or_default();
        // Behind the name in parentheses: state is field 3, utime 14, stime 15, in 1/100 s.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |at: usize| fields.get(at).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
        Duration::from_millis((ticks(11) + ticks(12)) * 10)
    }

    /// Lets it forget what it saw.
    pub fn forget(&self) -> Result<(), String> {
        self.control("DELETE", "witness").map(drop)
    }

    /// Requests by operation since it last forgot.
    pub fn counts(&self) -> Result<BTreeMap<String, u64>, String> {
        let body = self.control("GET", "witness/counts")?;
        serde_json::from_str(&body).map_err(|error| error.to_string())
    }

    fn control(&self, method: &str, what: &str) -> Result<String, String> {
        let told = |error: std::io::Error| format!("the server's control endpoint: {error}");
        let mut stream = TcpStream::connect(&self.address).map_err(told)?;
        let request = format!(
            "{method} /_sandbox/{what} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.address
        );
        stream.write_all(request.as_bytes()).map_err(told)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(told)?;
        let (_, body) = answer.split_once("\r\n\r\n").ok_or("an answer without a head")?;
        Ok(body.to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
