//! A TCP stream that can be made to end in a reset, and that says when something comes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::connections::Phase;

/// Stream that ends with RST rather than FIN when its flag is set, and loses what it has not sent: the client sees
/// "connection reset by peer".
#[derive(Debug)]
pub(super) struct Stream {
    inner: TcpStream,
    reset: Arc<AtomicBool>,
    phase: Arc<Phase>,
}

impl Stream {
    pub(super) fn new(inner: TcpStream, phase: Arc<Phase>) -> (Stream, Arc<AtomicBool>) {
        let reset = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&reset);
        let stream = Stream {
            inner,
            reset,
            phase,
        };
        (stream, flag)
    }

    fn doomed(&self) -> Option<io::Error> {
        let doomed = self.reset.load(Ordering::Acquire);
        doomed.then(|| io::Error::from(io::ErrorKind::ConnectionReset))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Acquire) {
            // The client sees an early end if this fails, which is as bad.
            let _ = self.inner.set_zero_linger();
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.phase.received();
        }
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.doomed() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.inner).poll_write(context, bytes),
        }
    }

    /// Head and body of an answer in one call, without copying them together first.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.doomed() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.inner).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    /// A shutdown would send the FIN that a reset does without.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.doomed() {
            Some(error) => Poll::Ready(Err(error)),
            None => Pin::new(&mut self.inner).poll_shutdown(context),
        }
    }
}
