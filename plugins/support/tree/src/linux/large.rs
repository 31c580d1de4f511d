//! Memory for large content: in huge pages, and used again. To have the system make thousands of small pages takes longer
//! than to read the content into them.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use memmap2::{Advice, MmapMut};

/// From this size on, content gets such memory: two huge pages.
pub(crate) const LARGE: usize = 4 << 20;

/// How many bytes are kept for the next content, all in all: as many as the C library keeps of its own accord.
const MAX_KEPT: usize = 32 << 20;

static KEPT: Mutex<Vec<MmapMut>> = Mutex::new(Vec::new());

/// Memory for one content, which goes back when that is dropped.
pub(crate) struct Large {
    /// Gone only while it is dropped.
    memory: Option<MmapMut>,
    length: usize,
}

impl Large {
    /// Memory of that length; `None` if the system has none. What is in it is of no interest.
    pub(crate) fn of(length: usize) -> Option<Self> {
        let memory = match kept(length) {
            Some(memory) => memory,
            None => made(length)?,
        };
        Some(Self { memory: Some(memory), length })
    }

    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        self.memory.as_deref_mut().and_then(|memory| memory.get_mut(..self.length)).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        self.memory.as_deref().and_then(|memory| memory.get(..self.length)).unwrap_or_default()
    }
}

impl fmt::Debug for Large {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Large").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        let Some(memory) = self.memory.take() else { return };
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().map(|memory| memory.len()).sum::<usize>() + memory.len() <= MAX_KEPT {
            kept.push(memory);
        }
    }
}

/// What is kept and fits, if less than half of it would lie idle.
fn kept(length: usize) -> Option<MmapMut> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let fits = kept.iter().position(|memory| (length..length.saturating_mul(2)).contains(&memory.len()))?;
    Some(kept.swap_remove(fits))
}

fn made(length: usize) -> Option<MmapMut> {
    let memory = MmapMut::map_anon(length).ok()?;
    // Where the system has no huge pages, small ones do.
    let _ = memory.advise(Advice::HugePage);
    Some(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_as_long_as_asked_whether_new_or_used_before() {
        for length in [LARGE, LARGE + 1, LARGE, MAX_KEPT + 1, LARGE + 7] {
            let mut memory = Large::of(length).unwrap();
            assert_eq!((memory.bytes().len(), memory.as_ref().len()), (length, length));
            memory.bytes().fill(7);
        }
        let kept = KEPT.lock().unwrap().iter().map(|memory| memory.len()).sum::<usize>();
        assert!(kept <= MAX_KEPT, "{kept}");
    }

    #[test]
    fn contents_that_live_together_do_not_share_memory() {
        let (mut one, mut other) = (Large::of(LARGE).unwrap(), Large::of(LARGE).unwrap());
        one.bytes().fill(1);
        other.bytes().fill(2);
        assert!(one.as_ref().iter().all(|byte| *byte == 1));
        drop(one);
        assert!(Large::of(LARGE).unwrap().as_ref().len() == LARGE && other.as_ref()[0] == 2);
    }
}
