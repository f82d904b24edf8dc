//! A table from methods to anything: GET answers HEAD, `any` answers the rest, `Allow` lists it.

use crate::Method;

/// At most one `T` for each method and one for any other.
#[derive(Clone)]
pub(crate) struct Methods<T> {
    /// A handful: a scan is faster than a hash.
    own: Vec<(Method, T)>,
    any: Option<T>,
}

/// There is a `T` already.
#[derive(Debug)]
pub(crate) struct Taken;

impl<T> Default for Methods<T> {
    fn default() -> Self {
        Self { own: Vec::new(), any: None }
    }
}

impl<T> Methods<T> {
    pub(crate) fn insert(&mut self, method: Method, value: T) -> Result<(), Taken> {
        if self.own(&method).is_some() {
            return Err(Taken);
        }
        self.own.push((method, value));
        Ok(())
    }

    pub(crate) fn insert_any(&mut self, value: T) -> Result<(), Taken> {
        if self.any.is_some() {
            return Err(Taken);
        }
        self.any = Some(value);
        Ok(())
    }

    /// The one that answers `method`.
    pub(crate) fn get(&self, method: &Method) -> Option<&T> {
        let for_head = || if *method == Method::Head { self.own(&Method::Get) } else { None };
        self.own(method).or_else(for_head).or(self.any.as_ref())
    }

    fn own(&self, method: &Method) -> Option<&T> {
        self.own.iter().find(|(known, _)| known == method).map(|(_, value)| value)
    }

    /// The methods as the value of `Allow` (RFC 9110 §10.2.1): sorted, each once.
    pub(crate) fn allow(&self) -> String {
        let mut names: Vec<&str> = self.own.iter().map(|(method, _)| method.as_str()).collect();
        if self.own(&Method::Get).is_some() {
            names.push("HEAD");
        }
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }

    /// What is in it, `any` without a method.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = (Option<Method>, T)> {
        let any = self.any.map(|value| (None, value));
        self.own.into_iter().map(|(method, value)| (Some(method), value)).chain(any)
    }

    pub(crate) fn map<U>(self, mut f: impl FnMut(T) -> U) -> Methods<U> {
        Methods {
            any: self.any.map(&mut f),
            own: self.own.into_iter().map(|(method, value)| (method, f(value))).collect(),
        }
    }
}
