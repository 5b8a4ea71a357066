//! From the socket to the operation and back.
//!
//! hyper reads the request; [`crate::control`] and [`crate::sts_iam`] take theirs; s3s checks the
//! signature of what is left and takes the framing off its body; [`crate::gate`] lets it through;
//! [`crate::s3`] does the work. What the rules say is done on the way in and on the way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::auth::{S3Auth, SecretKey};
use s3s::route::S3Route;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::bend::bend;
use crate::call::{Answer, Call, Target, set_header};
use crate::fault::Effect;
use crate::outgoing::{Outgoing, Serving};
use crate::refusal::Refusal;
use crate::scope::Scope;
use crate::shared::Shared;
use crate::sts_iam::{self, Form, Service};
use crate::witness::Seen;
use crate::{control, gate, s3, step};

/// Tells hyper to close the connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed, as the rule says")]
struct Dropped;

/// What the rules say about an answer on its way out.
#[derive(Clone, Debug, Default)]
struct Struck(Vec<Effect>);

/// Serves until told to stop.
pub async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let s3 = s3_service(&shared);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        let Ok((stream, _)) = accepted else { continue };
        // Without it a kept-alive connection stalls for tens of milliseconds a request.
        let _ = stream.set_nodelay(true);
        let (shared, s3) = (Arc::clone(&shared), s3.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let (shared, s3) = (Arc::clone(&shared), s3.clone());
                async move { answer(&shared, &s3, request).await }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(Duration::from_secs(120))
                .serve_connection(TokioIo::new(stream), service);
            // A client that leaves, or a rule that closes the connection, is no error of ours.
            let _ = connection.await;
        });
    }
}

fn s3_service(shared: &Arc<Shared>) -> S3Service {
    let mut builder = S3ServiceBuilder::new(Nothing);
    builder.set_auth(Keys(Arc::clone(shared)));
    builder.set_route(Everything(Arc::clone(shared)));
    builder.build()
}

async fn answer(
    shared: &Arc<Shared>,
    s3: &S3Service,
    request: Request<Incoming>,
) -> Result<Response<Outgoing>, Dropped> {
    if request.uri().path().starts_with(control::PREFIX) {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let answer = control::answer(shared, &head.method, head.uri.path(), &body);
        return Ok(answer.map(|body| Outgoing::new(body, Arc::clone(shared), None, &[])));
    }
    if !shared.latency.is_zero() {
        tokio::time::sleep(shared.latency).await;
    }
    let scope = Scope::of(request.headers(), request.uri().query());
    let user = scope.user(shared);
    let mut target = Target::of(request.method(), request.uri(), request.headers());
    let request_id = next_request_id();
    let (op, mutating, mut answer) = match scope.service() {
        None => {
            let op = target.op_name();
            let mutating = target.op.is_some_and(crate::op::Op::is_mutating);
            let mut request = request.map(Body::from);
            request
                .extensions_mut()
                .insert(Asked { target: target.clone(), id: request_id.clone() });
            let answer = s3.call(request).await.unwrap_or_else(|_| crate::call::empty(500));
            (op, mutating, answer)
        }
        Some(service) => {
            let body = request.into_body().collect().await;
            let form = Form::of(&body.map(|body| body.to_bytes()).unwrap_or_default());
            target.op = None;
            let answer = identity(shared, service, &scope, &target, &form, &request_id).await;
            (form.action().to_owned(), false, answer)
        }
    };
    set_header(&mut answer, "x-amz-request-id", &request_id);
    set_header(&mut answer, "x-amz-id-2", "sandbox");
    set_header(&mut answer, "server", "AmazonS3");

    let Struck(effects) = answer.extensions_mut().remove().unwrap_or_default();
    let serving: Option<Serving> = answer.extensions_mut().remove();
    let is_dropped =
        effects.iter().any(|effect| matches!(effect, Effect::Drop | Effect::LoseAnswer));
    shared.witness.saw(Seen {
        number: 0,
        op,
        bucket: target.bucket.clone(),
        key: target.key.clone(),
        version_id: target.version_id().map(str::to_owned),
        user: user.unwrap_or_else(|| "?".into()),
        status: (!is_dropped).then(|| answer.status().as_u16()),
        mutating,
        request_id,
    });
    if is_dropped {
        return Err(Dropped);
    }
    let answer = bend(answer, &target, &effects).await;
    Ok(answer.map(|body| Outgoing::new(body, Arc::clone(shared), serving, &effects)))
}

/// What the rules do before an operation. `Err` when they answer in its stead. A request that gets
/// no answer at all is seen by the witness as it arrives, for it has no end.
async fn strike(
    shared: &Shared,
    effects: &[Effect],
    arrived: impl FnOnce() -> Seen,
) -> Result<(), Refusal> {
    if effects.iter().any(|effect| matches!(effect, Effect::Silence)) {
        shared.witness.saw(arrived());
    }
    for effect in effects {
        match effect {
            Effect::DelayMs(milliseconds) => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            }
            Effect::Silence => std::future::pending().await,
            Effect::Script(steps) => steps.iter().for_each(|step| step::take(shared, step)),
            Effect::Drop => return Err(Refusal::new(500, "InternalError", "dropped")),
            Effect::Answer { status, code, message } => {
                return Err(Refusal::new(*status, code.clone(), message.clone()));
            }
            _ => {}
        }
    }
    Ok(())
}

fn ask(headers: &mut HeaderMap, name: &str, value: Option<&str>) {
    let Ok(name) = http::HeaderName::from_bytes(name.as_bytes()) else { return };
    headers.remove(&name);
    if let Some(value) = value.and_then(|value| http::HeaderValue::from_str(value).ok()) {
        headers.insert(name, value);
    }
}

/// What the rules do after an operation, before its answer leaves.
async fn after(shared: &Shared, effects: &[Effect], arrived: impl FnOnce() -> Seen) {
    for effect in effects {
        if let Effect::ScriptAfter(steps) = effect {
            steps.iter().for_each(|step| step::take(shared, step));
        }
    }
    if effects.iter().any(|effect| matches!(effect, Effect::SilenceAfter)) {
        shared.witness.saw(arrived());
        std::future::pending::<()>().await;
    }
}

async fn identity(
    shared: &Shared,
    service: Service,
    scope: &Scope,
    target: &Target,
    form: &Form,
    request_id: &str,
) -> Answer {
    let known = scope.access_key.as_ref().and_then(|key| {
        let account = shared.account();
        account.by_access_key(key).cloned()
    });
    let name = known.as_ref().map(|user| &*user.name).unwrap_or_default();
    let effects = shared.faults.strike(form.action(), target, name);
    let arrived = || Seen {
        number: 0,
        op: form.action().to_owned(),
        bucket: None,
        key: None,
        version_id: None,
        user: name.to_owned(),
        status: None,
        mutating: false,
        request_id: request_id.to_owned(),
    };
    let outcome = match (strike(shared, &effects, arrived).await, known.clone()) {
        (Err(refusal), _) => Err(refusal),
        (Ok(()), None) => {
            let message = "The security token included in the request is invalid.";
            Err(Refusal::new(403, "InvalidClientTokenId", message))
        }
        (Ok(()), Some(user)) if user.expired => {
            let message = "The security token included in the request is expired";
            Err(Refusal::new(403, "ExpiredToken", message))
        }
        (Ok(()), Some(user)) => {
            sts_iam::answer(&shared.account(), service, &user, form, request_id)
        }
    };
    after(shared, &effects, arrived).await;
    let mut answer =
        outcome.unwrap_or_else(|refusal| sts_iam::refuse(service, &refusal, request_id));
    answer.extensions_mut().insert(Struck(effects));
    answer
}

fn next_request_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{:016X}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What the front read out of a request, carried through s3s.
#[derive(Clone)]
struct Asked {
    target: Target,
    id: String,
}

/// The S3 trait, of which nothing is used: every request takes the route.
struct Nothing;

#[async_trait::async_trait]
impl S3 for Nothing {}

/// The secret keys of the account's users.
struct Keys(Arc<Shared>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let account = self.0.account();
        match account.by_access_key(access_key) {
            None => Err(S3Error::with_message(
                S3ErrorCode::InvalidAccessKeyId,
                "The AWS Access Key Id you provided does not exist in our records.",
            )),
            Some(user) if user.expired => {
                let message = "The provided token has expired.";
                Err(S3Error::with_message(S3ErrorCode::ExpiredToken, message))
            }
            Some(user) => Ok(user.secret_key.clone().into()),
        }
    }
}

/// The route that takes every request that s3s has found signed.
struct Everything(Arc<Shared>);

#[async_trait::async_trait]
impl S3Route for Everything {
    fn is_match(
        &self,
        _: &http::Method,
        _: &http::Uri,
        _: &HeaderMap,
        _: &mut http::Extensions,
    ) -> bool {
        true
    }

    async fn call(&self, request: S3Request<Body>) -> S3Result<S3Response<Body>> {
        let (head, body) = perform(&self.0, request).await.into_parts();
        let mut response = S3Response::new(body);
        response.status = Some(head.status);
        response.headers = head.headers;
        response.extensions = head.extensions;
        Ok(response)
    }
}

async fn perform(shared: &Shared, mut request: S3Request<Body>) -> Answer {
    let asked = request.extensions.remove::<Asked>();
    let credentials = request.credentials.take();
    let (Some(Asked { target, id }), Some(credentials)) = (asked, credentials) else {
        return Refusal::denied().into_answer("/", "", false);
    };
    let asker = shared.account().by_access_key(&credentials.access_key).cloned();
    let mut call = Call {
        headers: request.headers,
        user: asker.as_ref().map(|user| user.name.clone()).unwrap_or_default(),
        asker,
        region: request.region.map(|region| region.as_str().to_owned()).unwrap_or_default(),
        body: request.input,
        trailers: request.trailing_headers,
        target,
    };
    let effects = shared.faults.strike(&call.target.op_name(), &call.target, &call.user);
    for effect in &effects {
        if let Effect::Ask { name, value } = effect {
            ask(&mut call.headers, name, value.as_deref());
        }
    }
    let arrived = Seen {
        number: 0,
        op: call.target.op_name(),
        bucket: call.target.bucket.clone(),
        key: call.target.key.clone(),
        version_id: call.target.version_id().map(str::to_owned),
        user: call.user.to_string(),
        status: None,
        mutating: call.target.op.is_some_and(crate::op::Op::is_mutating),
        request_id: id.clone(),
    };
    let arrived = || arrived.clone();
    let struck = strike(shared, &effects, arrived).await;
    let outcome = match struck.and_then(|()| gate::check(shared, &call)) {
        Err(refusal) => Err(refusal),
        Ok(()) => match call.target.op {
            Some(op) => s3::perform(shared, &mut call, op).await,
            None => Err(Refusal::new(501, "NotImplemented", "no such operation")),
        },
    };
    after(shared, &effects, arrived).await;
    let Target { path, is_head, .. } = &call.target;
    let mut answer = outcome.unwrap_or_else(|refusal| refusal.into_answer(path, &id, *is_head));
    answer.extensions_mut().insert(Struck(effects));
    answer
}
