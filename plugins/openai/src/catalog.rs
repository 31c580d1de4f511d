//! The index, as fresh as the connection wants it.

use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use f9_plugin_api::{BackendPath, Error, ErrorKind, Result, log};

use crate::{
    api::{Api, MAX_PAGES, Order, endless, is_id},
    failure::Failure,
    index::{Entry, Index},
    record::{Record, is_ours},
    types::StoreFile,
};

/// How often a listing begins anew because what it had come to was deleted meanwhile.
const RESTARTS: usize = 5;

/// The index, and how old it is.
#[derive(Debug)]
pub(crate) struct Catalog {
    /// For how long a listing is believed.
    ttl: Duration,
    index: Mutex<Index>,
    /// When the latest listing began. Held while listing: of callers that come meanwhile, one lists for all.
    listed: Mutex<Option<Instant>>,
    /// Files of the store that are not ours, as of the latest listing.
    foreign: Mutex<HashSet<String>>,
}

/// All files of the store.
#[derive(Default)]
struct Listing {
    ours: Vec<Entry>,
    foreign: HashSet<String>,
    seen: HashSet<String>,
}

impl Catalog {
    pub(crate) fn new(ttl: Duration) -> Self {
        Self { ttl, index: Mutex::default(), listed: Mutex::new(None), foreign: Mutex::default() }
    }

    /// The index, no older than the connection wants as far as `path` and what is above and below it are concerned.
    pub(crate) fn look(&self, api: &Api, path: &BackendPath) -> Result<MutexGuard<'_, Index>> {
        let since = Instant::now().checked_sub(self.ttl);
        self.look_since(api, path, since)
    }

    /// The index as it is now.
    pub(crate) fn look_afresh(&self, api: &Api, path: &BackendPath) -> Result<MutexGuard<'_, Index>> {
        self.look_since(api, path, Some(Instant::now()))
    }

    /// The index without asking the service.
    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the latest listing had a file that is not ours.
    pub(crate) fn is_foreign(&self, id: &str) -> bool {
        self.foreign.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// The index of a listing that began no earlier than `since` (`None`: any will do).
    fn look_since(
        &self,
        api: &Api,
        path: &BackendPath,
        since: Option<Instant>,
    ) -> Result<MutexGuard<'_, Index>> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = listed.is_some_and(|begun| since.is_none_or(|since| begun >= since));
        if !fresh {
            let begun = Instant::now();
            let listing = list(api)?;
            *self.foreign.lock().unwrap_or_else(PoisonError::into_inner) = listing.foreign;
            self.index().replace(listing.ours);
            *listed = Some(begun);
            self.check_unlisted(api, path)?;
        }
        Ok(self.index())
    }

    /// What was written here and is not listed is either too new for the listing, or somebody has removed it.
    fn check_unlisted(&self, api: &Api, path: &BackendPath) -> Result<()> {
        let unlisted = self.index().unlisted(path);
        for id in unlisted {
            match api.retrieve(&id) {
                Ok(_) => {}
                Err(failure) if failure.is_missing() => self.index().remove(&id),
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(())
    }
}

fn list(api: &Api) -> Result<Listing> {
    let mut restarts = 0;
    loop {
        match list_once(api) {
            // The entry that the next page was to begin after is gone.
            Err(Failure::Refused(refusal))
                if refusal.status == 400 && restarts < RESTARTS && refusal.message.contains("after") =>
            {
                restarts += 1;
            }
            result => return Ok(result?),
        }
    }
}

/// Lists from the oldest on: what is added meanwhile comes at the end, so that nothing moves from page to page.
fn list_once(api: &Api) -> Result<Listing, Failure> {
    let mut listing = Listing::default();
    let Err((failure, stuck)) = walk(api, Order::OldestFirst, &mut listing, |_| false) else {
        return Ok(listing);
    };
    let error = match failure {
        Failure::Refused(refusal) if refusal.status.is_server_error() => {
            Error::from(Failure::Refused(refusal))
        }
        other => return Err(other),
    };
    // A single entry can make a page fail for good; from the other end there may be a way around.
    log::warn!("a page of the listing fails, listing from the other end: {error}");
    let reached: HashSet<String> = listing.seen.clone();
    walk(api, Order::NewestFirst, &mut listing, |id| reached.contains(id)).map_err(|_| {
        Error::new(error.kind(), "the store cannot be listed as a whole: a page of its listing fails")
            .with("after", stuck.as_deref().unwrap_or("-"))
            .hint("try again later; if it lasts, the entry after that file has to be removed by other means")
            .caused_by(error)
    })?;
    Ok(listing)
}

/// Follows the pages from one end, until the other or an entry that `stop` knows. After a failure it says after which file
/// the page was to begin.
fn walk(
    api: &Api,
    order: Order,
    listing: &mut Listing,
    stop: impl Fn(&str) -> bool,
) -> Result<(), (Failure, Option<String>)> {
    let mut after: Option<String> = None;
    for _ in 0..MAX_PAGES {
        let page = api.list(order, after.as_deref()).map_err(|failure| (failure, after.clone()))?;
        let known = listing.seen.len();
        let last = page.data.last().map(|file| file.id.clone());
        for file in page.data {
            if stop(&file.id) {
                return Ok(());
            }
            listing.take(file).map_err(|error| (error.into(), after.clone()))?;
        }
        if !page.has_more || last.is_none() {
            return Ok(());
        }
        if listing.seen.len() == known {
            let error = Error::new(ErrorKind::Network, "the service repeats a page of the store's listing");
            return Err((error.with("after", last.as_deref().unwrap_or("-")).into(), after));
        }
        after = last;
    }
    Err((endless("the store's listing").into(), after))
}

impl Listing {
    fn take(&mut self, file: StoreFile) -> Result<()> {
        if !is_id(&file.id) {
            return Err(Error::new(ErrorKind::Network, "the service lists a file whose id is not one"));
        }
        if !self.seen.insert(file.id.clone()) {
            return Ok(()); // listings may repeat an entry where one page ends and the next begins
        }
        let attributes = file.attributes.unwrap_or_default();
        match Record::parse(&attributes) {
            Some(record) => {
                let (status, created_at) = (file.status, file.created_at);
                self.ours.push(Entry { id: file.id, status, created_at, known: true, record });
            }
            None => {
                if is_ours(&attributes) {
                    log::warn!(
                        "leaving alone the file {}, whose attributes this version cannot read",
                        file.id
                    );
                }
                self.foreign.insert(file.id);
            }
        }
        Ok(())
    }
}
