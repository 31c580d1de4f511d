//! The service's limits on how often it is written to.

use std::{num::NonZeroU32, time::Duration};

use f9_http::Pace;

use crate::{options::OpenAiOptions, record::Digest};

/// The limit on what is put into a store, attachments and batches together (description of `POST
/// /vector_stores/{id}/files`).
const WRITES: NonZeroU32 = NonZeroU32::new(300).unwrap();

/// The limit on a user's uploads (description of `POST /files`).
const UPLOADS: NonZeroU32 = NonZeroU32::new(1000).unwrap();

const MINUTE: Duration = Duration::from_secs(60);

/// How fast a store may be written to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    pub(crate) uploads: Option<Pace>,
    pub(crate) writes: Option<Pace>,
}

impl Limits {
    /// The vendor's own service has limits; of others only the connection knows.
    pub(crate) fn of(options: &OpenAiOptions, is_original: bool) -> Self {
        let writes = options.writes_per_minute.or(is_original.then_some(WRITES));
        let server = &options.base_url;
        let key = Digest::of(options.api_key.expose().as_bytes());
        Self {
            uploads: is_original.then(|| Pace::new(&format!("uploads {server} {key}"), UPLOADS, MINUTE)),
            writes: writes
                .map(|most| Pace::new(&format!("writes {server} {}", options.vector_store_id), most, MINUTE)),
        }
    }
}

#[cfg(test)]
mod tests {
    use f9_plugin_api::parse_options;
    use serde_json::{Value, json};

    use super::*;

    fn limits(more: Value, is_original: bool) -> Limits {
        let mut options = json!({"api_key": "canary", "vector_store_id": "vs_1"});
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let Value::Object(options) = options else { unreachable!("it was made an object") };
        Limits::of(&parse_options(options).unwrap(), is_original)
    }

    #[test]
    fn the_vendors_limits_hold_at_the_vendors_service() {
        let original = limits(json!({}), true);
        let shown = format!("{original:?}");
        assert!(shown.contains("most: 300") && shown.contains("most: 1000"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
        let other = limits(json!({}), false);
        assert!(other.uploads.is_none() && other.writes.is_none());
        let told = format!("{:?}", limits(json!({"writes_per_minute": 7}), true));
        assert!(told.contains("most: 7"), "{told}");
    }
}
