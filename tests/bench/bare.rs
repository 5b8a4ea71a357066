//! The two bounds of what a mover can do here: a client that keeps nothing, and a writer that
//! fetches nothing.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::SystemTime;

use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SigningSettings, UriPathNormalizationMode,
    sign,
};
use aws_sigv4::sign::v4::SigningParams;

use crate::works::Work;

/// Threads of either, each with one connection or file at a time.
const THREADS: usize = 8;

/// Where the bare client asks, and as whom.
pub struct Door {
    pub address: String,
    pub access_key: String,
    pub secret_key: String,
    pub region: String,
}

/// Fetches every object of a work once and throws it away.
///
/// # Errors
/// The first answer that is not the object.
pub fn fetch(work: &Work, door: &Door) -> Result<(), String> {
    let keys: Vec<String> = work.keys().collect();
    let next = AtomicUsize::new(0);
    each_thread(|| {
        let stream = TcpStream::connect(&door.address).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut reader = BufReader::with_capacity(64 << 10, stream);
        while let Some(key) = keys.get(next.fetch_add(1, Ordering::Relaxed)) {
            let path = format!("/{}/{key}", work.name);
            let request = signed(door, &path)?;
            reader.get_mut().write_all(request.as_bytes()).map_err(|error| error.to_string())?;
            let got = read_answer(&mut reader).map_err(|error| format!("{path}: {error}"))?;
            if got != work.size {
                return Err(format!("{path}: {got} bytes instead of {}", work.size));
            }
        }
        Ok(())
    })
}

fn signed(door: &Door, path: &str) -> Result<String, String> {
    let identity = aws_credential_types::Credentials::new(
        &door.access_key,
        &door.secret_key,
        None,
        None,
        "bench",
    )
    .into();
    let mut settings = SigningSettings::default();
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    let params = SigningParams::builder()
        .identity(&identity)
        .region(&door.region)
        .name("s3")
        .time(SystemTime::now())
        .settings(settings)
        .build()
        .map_err(|error| error.to_string())?;
    let headers = [
        ("host", door.address.as_str()),
        ("x-amz-checksum-mode", "ENABLED"),
        ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
    ];
    let uri = format!("http://{}{path}", door.address);
    let request =
        SignableRequest::new("GET", &uri, headers.into_iter(), SignableBody::UnsignedPayload)
            .map_err(|error| error.to_string())?;
    let (instructions, _) =
        sign(request, &params.into()).map_err(|error| error.to_string())?.into_parts();
    let mut text = format!("GET {path} HTTP/1.1\r\n");
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        text += &format!("{name}: {value}\r\n");
    }
    Ok(text + "\r\n")
}

/// Reads one answer to its end; gives the length of its body.
fn read_answer(reader: &mut BufReader<TcpStream>) -> std::io::Result<u64> {
    let mut line = String::new();
    let mut length = 0;
    reader.read_line(&mut line)?;
    let well = line.starts_with("HTTP/1.1 200");
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(std::io::Error::other)?;
        }
    }
    let came = std::io::copy(&mut reader.take(length), &mut std::io::sink())?;
    if well && came == length { Ok(length) } else { Err(std::io::Error::other("not the object")) }
}

/// Writes the same files from memory and makes them durable, in the cheapest safe order known:
/// under staging names, one sync, renamed into place, one sync.
///
/// # Errors
/// What the disk did not take.
pub fn write(work: &Work, to: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| format!("{}: {error}", to.display());
    let staging = to.join("staging");
    fs::create_dir_all(&staging).map_err(told)?;
    let keys: Vec<String> = work.keys().collect();
    let chunk = noise(work.size.min(1 << 20) as usize);
    let next = AtomicUsize::new(0);
    each_thread(|| {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= keys.len() {
                return Ok(());
            }
            let mut file = File::create_new(staging.join(at.to_string())).map_err(told)?;
            let mut left = work.size;
            while left > 0 {
                let take = left.min(chunk.len() as u64);
                file.write_all(&chunk[..take as usize]).map_err(told)?;
                left -= take;
            }
        }
    })?;
    let folder = File::open(to).map_err(told)?;
    rustix::fs::syncfs(&folder).map_err(|error| told(error.into()))?;
    for (at, key) in keys.iter().enumerate() {
        let path = to.join(key);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above).map_err(told)?;
        }
        fs::rename(staging.join(at.to_string()), path).map_err(told)?;
    }
    rustix::fs::syncfs(&folder).map_err(|error| told(error.into()))
}

/// Bytes that no file system can shrink.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| step()).collect()
}

fn each_thread(act: impl Fn() -> Result<(), String> + Sync) -> Result<(), String> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(&act)).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| "a thread panicked".to_owned())?)
    })
}
