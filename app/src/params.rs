//! What the placeholders of a route matched.

use std::sync::Arc;

/// Names and decoded values, in the order of the route.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params(pub(crate) Vec<(Arc<str>, String)>);

impl Params {
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| value.as_str())
    }
}
