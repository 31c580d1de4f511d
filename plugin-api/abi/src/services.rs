//! What the host offers to a plugin while a backend is open.

use abi_stable::{
    StableAbi, sabi_trait,
    std_types::{RBox, ROption, RStr},
};

/// How far a long operation has come.
#[repr(C)]
#[derive(StableAbi, Debug, Clone, Copy)]
pub struct AbiProgress<'a> {
    /// What is being done, in a word or two ("fetch").
    pub operation: RStr<'a>,
    /// What is counted ("bytes", "objects").
    pub unit: RStr<'a>,
    pub done: u64,
    /// `RNone` if not known.
    pub total: ROption<u64>,
}

/// Codes of log levels; 0 switches logging off.
pub mod log_level {
    pub const ERROR: u8 = 1;
    pub const WARN: u8 = 2;
    pub const INFO: u8 = 3;
    pub const DEBUG: u8 = 4;
    pub const TRACE: u8 = 5;
}

/// The host as a plugin sees it. Every method may be called from any thread, at any time.
#[sabi_trait]
pub trait AbiHost: Send + Sync {
    /// The most verbose level that is looked at: a code of [`log_level`].
    fn max_log_level(&self) -> u8;
    fn log(&self, level: u8, target: RStr<'_>, message: RStr<'_>);
    fn progress(&self, progress: AbiProgress<'_>);
    /// Whether the caller no longer wants the answer. Long operations ask, and end with an error.
    #[sabi(last_prefix_field)]
    fn is_cancelled(&self) -> bool;
}

/// The host, owned by the plugin.
pub type AbiHostBox = AbiHost_TO<'static, RBox<()>>;
