//! A library that is no plugin, whatever its file is called.

/// Something that somebody else would look for.
#[unsafe(no_mangle)]
pub extern "C" fn stranger() -> u32 {
    7
}
