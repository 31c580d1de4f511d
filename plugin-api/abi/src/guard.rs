//! No panic crosses the boundary: the one place where they are caught, and this crate's one address of `unsafe`.

use std::{
    any::Any,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    panic::{AssertUnwindSafe, catch_unwind},
};

use abi_stable::std_types::RResult;

use crate::{AbiError, AbiErrorKind, AbiResult};

/// Runs the body of an entry; an unwinding panic becomes [`AbiErrorKind::PANICKED`] with the panic's text.
///
/// State is asserted to be unwind safe: it belongs to the plugin, and std's locks poison themselves.
#[inline]
pub fn guard<T>(entry: &'static str, body: impl FnOnce() -> AbiResult<T>) -> AbiResult<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(answer) => answer,
        Err(payload) => RResult::RErr(panicked(entry, payload)),
    }
}

/// Runs code that has no way to answer an error (a drop, a getter); `None` if it panicked.
#[inline]
pub fn guard_drop<T>(body: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(body)).map_err(discard).ok()
}

#[cold]
fn panicked(entry: &str, payload: Box<dyn Any + Send>) -> AbiError {
    let text = payload_text(&*payload);
    discard(payload);
    AbiError::new(AbiErrorKind::PANICKED, format!("panicked in {entry}: {text}"))
}

fn payload_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no message)").to_owned()
}

/// Drops a panic's payload, whose own `Drop` may panic once more: then it is leaked.
#[cold]
fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

/// Holds a value whose `Drop` may panic without taking the process along.
#[derive(Debug)]
pub struct Guarded<T>(ManuallyDrop<T>);

impl<T> Guarded<T> {
    /// Wraps `value`.
    #[inline]
    pub fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

impl<T> Deref for Guarded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Guarded<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: `self.0` is not used after this, the only call, which is in the only `drop`.
        guard_drop(|| unsafe { ManuallyDrop::drop(&mut self.0) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom in drop");
        }
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        for (answer, text) in [
            (guard::<()>("read", || panic!("boom")), "panicked in read: boom"),
            (guard::<()>("read", || panic!("boom {}", 1)), "panicked in read: boom 1"),
            (guard::<()>("read", || std::panic::panic_any(7)), "panicked in read: (no message)"),
        ] {
            let error = answer.into_result().unwrap_err();
            assert_eq!((error.kind, error.message.as_str()), (AbiErrorKind::PANICKED, text));
        }
    }

    #[test]
    fn a_panic_while_dropping_is_contained() {
        drop(Guarded::new(Bomb));
        let answer = guard::<()>("read", || std::panic::panic_any(Bomb));
        assert_eq!(answer.into_result().unwrap_err().kind, AbiErrorKind::PANICKED);
    }
}
