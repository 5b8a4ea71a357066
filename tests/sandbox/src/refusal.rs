//! How the account says no: status, code, message and what else S3 puts into the error document.

use std::borrow::Cow;

use http::StatusCode;
use s3s::Body;

use crate::call::Answer;
use crate::xml::Xml;

/// An error answer of S3, before it is put on the wire.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The error code, such as `NoSuchKey`.
    pub code: Cow<'static, str>,
    /// The sentence for people.
    pub message: Cow<'static, str>,
    /// More elements of the error document, such as `StorageClass`.
    pub details: Vec<(&'static str, String)>,
    /// Headers beside it, such as `x-amz-delete-marker`.
    pub headers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A refusal with a code and a message.
    pub fn new(
        status: u16,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: code.into(),
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// 403 `AccessDenied`.
    pub fn denied() -> Self {
        Self::new(403, "AccessDenied", "Access Denied")
    }

    /// 404 `NoSuchKey`.
    pub fn no_such_key(key: &str) -> Self {
        Self::new(404, "NoSuchKey", "The specified key does not exist.").detail("Key", key)
    }

    /// 412 `PreconditionFailed`.
    pub fn precondition(condition: &'static str) -> Self {
        Self::new(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
        )
        .detail("Condition", condition)
    }

    /// 400 `InvalidArgument`.
    pub fn argument(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(400, "InvalidArgument", message)
    }

    /// 400 `MalformedXML`.
    pub fn malformed() -> Self {
        Self::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published \
             schema",
        )
    }

    /// Adds an element to the error document.
    pub fn detail(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    /// Adds a header to the answer.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Puts the refusal on the wire; HEAD answers carry no document.
    pub fn into_answer(self, resource: &str, request_id: &str, is_head: bool) -> Answer {
        let mut xml = Xml::document();
        xml.open("Error").text("Code", &self.code).text("Message", &self.message);
        for (name, value) in &self.details {
            xml.text(name, value);
        }
        xml.text("Resource", resource).text("RequestId", request_id).close("Error");
        let body = if is_head { Body::empty() } else { Body::from(xml.finish()) };
        let mut answer = http::Response::new(body);
        *answer.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::IM_A_TEAPOT);
        crate::call::set_header(&mut answer, "content-type", "application/xml");
        for (name, value) in &self.headers {
            crate::call::set_header(&mut answer, name, value);
        }
        answer
    }
}
