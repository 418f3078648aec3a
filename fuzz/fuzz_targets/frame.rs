//! See `shmipc::__fuzz::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shmipc::__fuzz::frame(data));
