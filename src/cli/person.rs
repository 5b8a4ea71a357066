//! The person at the terminal, asked at a gate.

use std::sync::Arc;

use crate::apply::person::{Answer, Person, Shown};
use crate::model::Count;
use crate::report::{self, Evidence, Screen, shown};

use super::session::{Session, ask_on};

/// Somebody at a terminal: shown the evidence, asked for the bucket's name.
pub struct AtTerminal {
    screen: Screen,
    os_user: String,
}

/// Nobody: stdin or stderr is no terminal.
pub struct Nobody;

/// Who can be asked here.
pub fn present(session: &Session) -> Arc<dyn Person> {
    match session.can_ask() {
        true => {
            Arc::new(AtTerminal { screen: session.screen().clone(), os_user: session.person() })
        }
        false => Arc::new(Nobody),
    }
}

impl Person for AtTerminal {
    fn asks(&self, gate: Shown<'_>) -> Answer {
        let name = gate.bucket.as_str();
        let evidence = report::evidence_words(&Evidence {
            bucket: gate.bucket,
            id: gate.evidence.id(),
            proven: Count { objects: gate.evidence.objects(), bytes: gate.evidence.bytes() },
            proofs: gate.evidence.proofs(),
            caveats: gate.caveats,
            consequences: gate.consequences,
        });
        // In one piece: another bucket's gate may open at the same moment.
        let question = format!(
            "{evidence}Type the bucket's name ({}) to approve, anything else to wait:",
            shown(name)
        );
        match ask_on(&self.screen, &question) {
            Ok(answer) if answer == name => Answer::Yes { os_user: self.os_user.clone() },
            Ok(_) => Answer::No,
            // Nobody reads or answers any more; that is no yes.
            Err(_) => Answer::Nobody,
        }
    }
}

impl Person for Nobody {
    fn asks(&self, _: Shown<'_>) -> Answer {
        Answer::Nobody
    }
}
