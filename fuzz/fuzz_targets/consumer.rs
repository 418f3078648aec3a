//! See `shmipc::__fuzz::consumer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| shmipc::__fuzz::consumer(data));
