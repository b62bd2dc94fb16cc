//! The outcome of an operation that needs a lease.

/// The outcome of an operation that only the holder of a lease may complete.
///
/// A caller that read a state in order to replace it holds it until another caller replaces it first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease<T> {
    /// Another caller has taken over, or withdrawn what the caller held; nothing was written.
    Lost,
    /// The caller holds the lease.
    Held(T),
}

impl<T> Lease<T> {
    /// Returns whether the caller holds the lease.
    pub fn is_held(&self) -> bool {
        matches!(self, Self::Held(_))
    }

    /// Returns whether the lease is lost.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost)
    }

    /// Returns the value of a held lease; `None` if it is lost.
    pub fn held(self) -> Option<T> {
        match self {
            Self::Held(value) => Some(value),
            Self::Lost => None,
        }
    }
}
