//! Whether a policy is public, as Block Public Access means it.
//!
//! Source: S3 User Guide, "Blocking public access", "The meaning of 'public'": public unless each
//! Allow is for fixed principals, or holds only for fixed values of one of a few keys.

use std::collections::BTreeSet;

use super::document::{Document, Effect, Sense, Statement};

/// The keys whose fixed values make an Allow to everybody not public.
const PINS: [&str; 12] = [
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "s3:dataaccesspointaccount",
];

/// Whether S3 would refuse a policy text where `BlockPublicPolicy` is on. A guess on the safe side:
/// what is not surely pinned is public.
pub fn is_public(policy: &Document) -> bool {
    let allows = policy.statements.iter().filter(|s| s.effect == Effect::Allow);
    allows.into_iter().any(|statement| is_for_all(statement) && !is_pinned(statement))
}

fn is_for_all(statement: &Statement) -> bool {
    let names_all = |names: &BTreeSet<String>| names.contains("*");
    statement.principals.sense == Sense::AllBut
        || statement.principals.by_kind.values().any(names_all)
}

fn is_pinned(statement: &Statement) -> bool {
    const FIXES: [&str; 6] = [
        "StringEquals",
        "StringEqualsIgnoreCase",
        "StringLike",
        "ArnEquals",
        "ArnLike",
        "IpAddress",
    ];
    statement.conditions.iter().filter(|(operator, _)| FIXES.contains(&operator.as_str())).any(
        |(_, keys)| {
            keys.iter().any(|(key, values)| {
                PINS.contains(&key.as_str())
                    && !values.is_empty()
                    && !values.iter().any(|value| is_open(value))
            })
        },
    )
}

fn is_open(value: &str) -> bool {
    value.contains(['*', '?', '$']) || value.ends_with("/0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allow_to_everybody_is_public_unless_it_is_pinned() {
        let of = |principal: &str, condition: &str| {
            let text = format!(
                r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow",
                "Principal": {principal}, "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::b/*", "Condition": {condition}}}}}"#
            );
            is_public(&Document::parse(&text).expect("a policy"))
        };
        assert!(of("\"*\"", "{}"));
        assert!(of("{\"AWS\": [\"*\"]}", "{}"));
        assert!(!of("{\"AWS\": \"arn:aws:iam::123456789012:user/a\"}", "{}"));
        assert!(!of("\"*\"", r#"{"StringEquals": {"aws:SourceVpce": "vpce-1"}}"#));
        assert!(of("\"*\"", r#"{"StringLike": {"aws:userid": "AIDA*"}}"#));
        assert!(of("\"*\"", r#"{"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}"#));
        assert!(of("\"*\"", r#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#));
        assert!(!of("\"*\"", r#"{"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}"#));
        assert!(of("\"*\"", r#"{"Bool": {"aws:SecureTransport": "true"}}"#));
    }
}
