//! What properties and fuzzing have a client ask before anything is received.

use sinew_proto::FieldLines;
use sinew_proto::http1::BodyPlan;

use super::client_driver::{Ask, Sending};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Nothing.
    Nothing,
    /// `GET`.
    Get,
    /// `GET`, `HEAD`, `GET`, one behind the other.
    Pipelined,
    /// `PUT` whose body is sent when `100 Continue` comes, behind a `GET`.
    Expecting,
    /// `GET` that offers to switch to `x`.
    Upgrade,
    /// `CONNECT`.
    Connect,
}

impl Asked {
    pub(crate) const ALL: [Self; 6] =
        [Self::Nothing, Self::Get, Self::Pipelined, Self::Expecting, Self::Upgrade, Self::Connect];

    pub(crate) fn requests(self) -> Vec<Ask> {
        match self {
            Self::Nothing => vec![],
            Self::Get => vec![ask("GET", None)],
            Self::Pipelined => vec![ask("GET", None), ask("HEAD", None), ask("GET", None)],
            Self::Expecting => {
                let put = ask("PUT", Some(("expect", "100-continue")));
                let put = Ask { body: BodyPlan::Length(1), sending: Sending::AfterContinue, ..put };
                vec![ask("GET", None), put]
            }
            Self::Upgrade => vec![ask("GET", Some(("upgrade", "x")))],
            Self::Connect => vec![ask("CONNECT", None)],
        }
    }
}

fn ask(method: &str, field: Option<(&str, &str)>) -> Ask {
    let mut fields = FieldLines::new();
    for (name, value) in [("host", "a:1")].into_iter().chain(field) {
        fields.append(name, value).expect("a valid field");
    }
    let target = if method == "CONNECT" { "a:1" } else { "/" };
    Ask {
        method: method.to_owned(),
        target: target.to_owned(),
        fields,
        body: BodyPlan::Empty,
        sending: Sending::Now,
    }
}
