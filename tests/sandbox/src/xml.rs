//! A small writer of the XML that S3, STS and IAM answer with.

use std::fmt::Write as _;

/// The name space of S3's answers.
pub const S3_NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// An XML document in the making.
#[derive(Debug, Default)]
pub struct Xml(String);

impl Xml {
    /// Starts a document with its declaration.
    pub fn document() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    /// Opens an element.
    pub fn open(&mut self, name: &str) -> &mut Self {
        let _ = write!(self.0, "<{name}>");
        self
    }

    /// Opens the root element with its name space.
    pub fn open_root(&mut self, name: &str, namespace: &str) -> &mut Self {
        let _ = write!(self.0, "<{name} xmlns=\"{namespace}\">");
        self
    }

    /// Opens an element with attributes as they are written.
    pub fn open_with(&mut self, name: &str, attributes: &str) -> &mut Self {
        let _ = write!(self.0, "<{name} {attributes}>");
        self
    }

    /// Closes an element.
    pub fn close(&mut self, name: &str) -> &mut Self {
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// An element with text.
    pub fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.open(name);
        self.escaped(text);
        self.close(name)
    }

    /// An element with text, if there is one.
    pub fn maybe(&mut self, name: &str, text: Option<&str>) -> &mut Self {
        if let Some(text) = text {
            self.text(name, text);
        }
        self
    }

    /// An element with anything that can be shown.
    pub fn show(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        let _ = write!(self.0, "<{name}>{value}</{name}>");
        self
    }

    /// The document's text.
    pub fn finish(self) -> String {
        self.0
    }

    /// S3 writes control characters as references that XML 1.0 does not allow; so does this.
    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\t' | '\n' => self.0.push(character),
                control if (control as u32) < 0x20 => {
                    let _ = write!(self.0, "&#x{:x};", control as u32);
                }
                other => self.0.push(other),
            }
        }
    }
}
