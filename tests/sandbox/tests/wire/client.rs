//! A client in a hundred lines: one signed HTTP/1.1 request a connection.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3plan_sandbox::Sandbox;
use sha2::{Digest as _, Sha256};

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Someone who asks: the sandbox, a user's keys, a region, a service.
pub struct Client<'a> {
    sandbox: &'a Sandbox,
    access_key: String,
    secret_key: String,
    token: Option<String>,
    region: &'static str,
    service: &'static str,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// A request in the making.
pub struct Ask<'a> {
    client: &'a Client<'a>,
    method: &'static str,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl<'a> Client<'a> {
    /// Alice in us-east-1.
    pub fn alice(sandbox: &'a Sandbox) -> Self {
        Self::user(sandbox, "alice")
    }

    /// A user in us-east-1.
    pub fn user(sandbox: &'a Sandbox, name: &str) -> Self {
        let env = sandbox.env(name);
        let get = |wanted: &str| {
            env.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
        };
        Self {
            sandbox,
            access_key: get("AWS_ACCESS_KEY_ID").unwrap(),
            secret_key: get("AWS_SECRET_ACCESS_KEY").unwrap(),
            token: get("AWS_SESSION_TOKEN"),
            region: "us-east-1",
            service: "s3",
        }
    }

    /// With another secret.
    pub fn secret(self, secret: &str) -> Self {
        Self { secret_key: secret.to_owned(), ..self }
    }

    /// With another access key.
    pub fn access_key(self, key: &str) -> Self {
        Self { access_key: key.to_owned(), ..self }
    }

    /// In another region.
    pub fn region(self, region: &'static str) -> Self {
        Self { region, ..self }
    }

    /// Signed for another service.
    pub fn service(self, service: &'static str) -> Self {
        Self { service, ..self }
    }

    /// A request for a bucket and key: `photos/a b` is sent as `/photos/a%20b`.
    pub fn ask(&'a self, method: &'static str, path: &str) -> Ask<'a> {
        let segments: Vec<String> = path
            .split('/')
            .map(|segment| utf8_percent_encode(segment, UNRESERVED).to_string())
            .collect();
        let path = format!("/{}", segments.join("/"));
        Ask { client: self, method, path, query: vec![], headers: vec![], body: vec![] }
    }

    pub fn get(&'a self, path: &str) -> Ask<'a> {
        self.ask("GET", path)
    }

    pub fn head(&'a self, path: &str) -> Ask<'a> {
        self.ask("HEAD", path)
    }

    pub fn put(&'a self, path: &str, body: impl AsRef<[u8]>) -> Ask<'a> {
        self.ask("PUT", path).body(body)
    }

    pub fn post(&'a self, path: &str, body: impl AsRef<[u8]>) -> Ask<'a> {
        self.ask("POST", path).body(body)
    }

    pub fn delete(&'a self, path: &str) -> Ask<'a> {
        self.ask("DELETE", path)
    }
}

impl Ask<'_> {
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.query.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Sends it; panics when no answer comes.
    pub fn send(self) -> Reply {
        self.try_send().expect("an answer")
    }

    /// Sends it; `None` when the connection is closed without an answer.
    pub fn try_send(self) -> Option<Reply> {
        self.exchange(20)
    }

    /// Sends it and gives what came of the body in so many seconds.
    pub fn body_within(self, seconds: u64) -> Option<String> {
        self.exchange(seconds).map(|reply| reply.text())
    }

    fn exchange(mut self, patience: u64) -> Option<Reply> {
        let client = self.client;
        let host = client.sandbox.endpoint().strip_prefix("http://").unwrap().to_owned();
        let now = Timestamp::now();
        let (date, time) =
            (now.strftime("%Y%m%d").to_string(), now.strftime("%Y%m%dT%H%M%SZ").to_string());
        let payload = hex::encode(Sha256::digest(&self.body));
        self.headers.push(("host".into(), host.clone()));
        self.headers.push(("x-amz-date".into(), time.clone()));
        self.headers.push(("x-amz-content-sha256".into(), payload.clone()));
        if let Some(token) = &client.token {
            self.headers.push(("x-amz-security-token".into(), token.clone()));
        }
        self.headers.sort();
        let encode = |text: &str| utf8_percent_encode(text, UNRESERVED).to_string();
        let mut query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        query.sort();
        let query = query.join("&");
        let signed: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        let signed = signed.join(";");
        let headers: String =
            self.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical =
            format!("{}\n{}\n{query}\n{headers}\n{signed}\n{payload}", self.method, self.path);
        let scope = format!("{date}/{}/{}/aws4_request", client.region, client.service);
        let digest = hex::encode(Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
        let mut key = hmac(format!("AWS4{}", client.secret_key).as_bytes(), date.as_bytes());
        for field in [client.region, client.service, "aws4_request"] {
            key = hmac(&key, field.as_bytes());
        }
        let signature = hex::encode(hmac(&key, to_sign.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            client.access_key
        );
        let mut head = format!("{} {}?{query} HTTP/1.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!(
            "authorization: {authorization}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            self.body.len()
        ));
        exchange(&host, head.as_bytes(), &self.body, patience)
    }
}

/// Sends bytes and reads until the server closes.
fn exchange(host: &str, head: &[u8], body: &[u8], patience: u64) -> Option<Reply> {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(patience))).unwrap();
    stream.write_all(head).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Some(Reply { status, headers, body: answer[end + 4..].to_vec() })
}

/// A request to the control endpoint.
pub fn control(sandbox: &Sandbox, method: &str, path: &str, body: &str) -> Reply {
    let host = sandbox.endpoint().strip_prefix("http://").unwrap().to_owned();
    let head = format!(
        "{method} /_sandbox/{path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    exchange(&host, head.as_bytes(), body.as_bytes(), 20).unwrap()
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The texts of all elements of a name.
    pub fn all(&self, element: &str) -> Vec<String> {
        let (open, close) = (format!("<{element}>"), format!("</{element}>"));
        let text = self.text();
        let inside = text.split(&open).skip(1);
        inside.filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned())).collect()
    }

    /// The text of the first element of a name; empty when there is none.
    pub fn first(&self, element: &str) -> String {
        self.all(element).into_iter().next().unwrap_or_default()
    }

    /// Status and error code.
    pub fn refusal(&self) -> (u16, String) {
        (self.status, self.first("Code"))
    }
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    if key.len() > 64 {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|b| b ^ byte);
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize().to_vec()
}
