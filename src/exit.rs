//! Exit codes of the commands, besides 0 and 1, from `sysexits.h`.

/// The command line cannot be read.
pub const USAGE: u8 = 64;
/// The input is not what the command reads.
pub const DATA: u8 = 65;
/// The input cannot be opened.
pub const NO_INPUT: u8 = 66;
/// A fault of the program itself.
pub const SOFTWARE: u8 = 70;
/// The system refused something, such as a thread.
pub const SYSTEM: u8 = 71;
/// The output cannot be created.
pub const CANNOT_CREATE: u8 = 73;
/// Reading or writing failed midway.
pub const IO: u8 = 74;
/// Settings are inconsistent.
pub const CONFIG: u8 = 78;
