//! See `shmipc::__fuzz::registry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shmipc::__fuzz::registry(data));
