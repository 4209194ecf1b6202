//! The `tmt` binary: parse, wire, run.
fn main() {}
