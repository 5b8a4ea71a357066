//! Answers that are bent on their way out, as rules say: headers, documents, lengths.
//!
//! What happens to a body while it is sent is [`crate::outgoing`]'s.

use http_body_util::BodyExt as _;
use s3s::Body;

use crate::call::{Answer, Target, set_header};
use crate::fault::Effect;

/// Changes head and body of an answer as the rules say; cuts and flips come later.
pub async fn bend(mut answer: Answer, target: &Target, effects: &[Effect]) -> Answer {
    for effect in effects {
        match effect {
            Effect::WrongEtag(etag) => set_header(&mut answer, "etag", &format!("\"{etag}\"")),
            Effect::Header { name, value } => set_header(&mut answer, name, value),
            Effect::NoHeader(name) => {
                answer.headers_mut().remove(name.as_str());
            }
            Effect::Replace { find, with } => {
                answer = rewrite(answer, |text| text.replace(find, with)).await;
            }
            Effect::Element { name, text } => {
                let text = text.as_ref().map(|text| fill(text, target));
                answer = rewrite(answer, |page| set_elements(page, name, text.as_deref())).await;
            }
            Effect::ShortBody { length } => {
                set_header(&mut answer, "content-length", &length.to_string());
            }
            Effect::CutBody { .. } | Effect::Stall { .. } => {
                // The length of the whole must stand in the head, though less will come.
                let whole = http_body::Body::size_hint(answer.body()).exact();
                if let (Some(whole), false) =
                    (whole, answer.headers().contains_key(http::header::CONTENT_LENGTH))
                {
                    set_header(&mut answer, "content-length", &whole.to_string());
                }
            }
            _ => {}
        }
    }
    answer
}

async fn rewrite(mut answer: Answer, change: impl FnOnce(&str) -> String) -> Answer {
    let body = std::mem::take(answer.body_mut());
    let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    answer.headers_mut().remove(http::header::CONTENT_LENGTH);
    *answer.body_mut() = Body::from(change(&String::from_utf8_lossy(&bytes)));
    answer
}

/// Fills `{query:NAME}` in.
fn fill(text: &str, target: &Target) -> String {
    target.query.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{query:{name}}}"), value)
    })
}

/// Gives every element of a name another text, or takes it out.
fn set_elements(page: &str, name: &str, text: Option<&str>) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let mut out = String::with_capacity(page.len());
    let mut rest = page;
    while let Some((before, inside)) = rest.split_once(&open) {
        let Some((_, behind)) = inside.split_once(&close) else { break };
        out.push_str(before);
        if let Some(text) = text {
            out.extend([&open, text, &close]);
        }
        rest = behind;
    }
    out + rest
}
