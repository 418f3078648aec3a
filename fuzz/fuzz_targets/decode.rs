//! See `shmipc::__fuzz::decode`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shmipc::__fuzz::decode(data));
