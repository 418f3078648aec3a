//! Rivals written in C++: bytes through their own interfaces, plus the codec. Each is a library
//! made by `native/build` with the functions of `native/pipe.h`.

use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;
use std::ptr::NonNull;
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use bench_kit::bytes::{Pipe, Typed, serve};
use bench_kit::{Checker, End, Plan, Rival};
use libloading::Library;

/// What a small message takes at most.
const SMALL: usize = 64;
/// A blob's variant and length.
const BLOB_EXTRA: usize = 12;

fn main() -> ExitCode {
    bench_kit::main(|plan| plan.take(&Loaded(Native::of(&plan.peer)?)))
}

type Open = unsafe extern "C" fn(*const c_char, *const c_char, bool, usize) -> *mut c_void;
type Send = unsafe extern "C" fn(*mut c_void, *const u8, usize) -> bool;
type Receive = unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> isize;
type Close = unsafe extern "C" fn(*mut c_void);
type Explain = unsafe extern "C" fn() -> *const c_char;

/// The functions of `native/pipe.h`.
struct Native {
    open: Open,
    send: Send,
    receive: Receive,
    close: Close,
    explain: Explain,
    /// Where they are.
    _library: Library,
}

impl Native {
    fn of(peer: &str) -> Result<Arc<Self>> {
        let name = match peer {
            "boost-queue" => "libboost.so",
            "qt-model" => "libqt.so",
            other => bail!("{other:?} is no native rival"),
        };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../native/out").join(name);
        ensure!(path.exists(), "not built: run bench/native/build");
        // SAFETY: our own library; what runs when it is loaded is the C++ runtime's.
        let library = unsafe { Library::new(&path) };
        let library = library.context("cannot load it: run bench/native/build")?;
        macro_rules! function {
            ($name:literal) => {{
                // SAFETY: `pipe.h` declares each as the field's type says.
                let function = unsafe { library.get($name) };
                *function.context("it lacks a function: run bench/native/build")?
            }};
        }
        Ok(Arc::new(Self {
            open: function!(b"pipe_open"),
            send: function!(b"pipe_send"),
            receive: function!(b"pipe_receive"),
            close: function!(b"pipe_close"),
            explain: function!(b"pipe_error"),
            _library: library,
        }))
    }

    /// What the last call that failed had to say.
    fn failure(&self) -> anyhow::Error {
        // SAFETY: takes nothing.
        let text = unsafe { (self.explain)() };
        // SAFETY: `pipe_error` gives a string that stays until this thread's next call.
        let text = unsafe { CStr::from_ptr(text) };
        anyhow::anyhow!("{}", text.to_string_lossy())
    }

    fn open(self: &Arc<Self>, plan: &Plan, is_server: bool) -> Result<Side> {
        let largest = match plan.workload.blob_size() {
            0 => SMALL,
            size => size + BLOB_EXTRA,
        };
        let name = CString::new(plan.name.as_str())?;
        let directory = CString::new(plan.dir.as_os_str().as_bytes())?;
        // SAFETY: both strings live through the call, which copies what it keeps.
        let pipe = unsafe { (self.open)(name.as_ptr(), directory.as_ptr(), is_server, largest) };
        let pipe = NonNull::new(pipe).ok_or_else(|| self.failure())?;
        Ok(Side { native: self.clone(), pipe, buffer: vec![0; largest] })
    }
}

/// One side of a pair.
struct Side {
    native: Arc<Native>,
    pipe: NonNull<c_void>,
    buffer: Vec<u8>,
}

impl Pipe for Side {
    #[inline]
    fn send(&mut self, message: &[u8]) -> Result<()> {
        // SAFETY: the pipe is open until `drop`, the message lives through the call.
        let sent =
            unsafe { (self.native.send)(self.pipe.as_ptr(), message.as_ptr(), message.len()) };
        if sent { Ok(()) } else { Err(self.native.failure()) }
    }

    #[inline]
    fn receive<R>(&mut self, read: impl FnOnce(&[u8]) -> Result<R>) -> Result<Option<R>> {
        // SAFETY: the pipe is open until `drop`, and the buffer has the room that is named.
        let length = unsafe {
            (self.native.receive)(self.pipe.as_ptr(), self.buffer.as_mut_ptr(), self.buffer.len())
        };
        match usize::try_from(length) {
            Ok(length) => read(&self.buffer[..length]).map(Some),
            Err(_) => Err(self.native.failure()),
        }
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once, and not used after.
        unsafe { (self.native.close)(self.pipe.as_ptr()) }
    }
}

struct Loaded(Arc<Native>);

impl Rival for Loaded {
    type Link = Typed<Side>;

    fn serve(&self, plan: &Plan, end: &End) -> Result<()> {
        let mut side = self.0.open(plan, true)?;
        end.ready()?;
        serve(&mut side, &mut Checker::new(plan.workload.blob_size()))
    }

    fn connect(&self, plan: &Plan) -> Result<Typed<Side>> {
        Ok(Typed::new(self.0.open(plan, false)?))
    }
}
