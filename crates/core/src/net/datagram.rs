//! Sending and receiving datagrams, the same for UDP and Unix sockets.
//!
//! A datagram that was received says nothing about whether there is another, so none of these
//! operations calls its descriptor drained.

/// The methods of a socket for datagrams whose addresses are of type `$addr`.
macro_rules! datagram {
    ($addr:ty) => {
        /// Sends `buf` to the one peer; returns how much was sent, which is all of it.
        ///
        /// # Cancel safety
        ///
        /// Nothing was sent if it is dropped before it is ready.
        ///
        /// # Errors
        ///
        /// What the system says; for example that there is no peer, or that an earlier datagram was
        /// refused.
        pub async fn send(&self, buf: &[u8]) -> io::Result<usize> {
            self.io
                .run(Direction::Write, |socket| socket.send(buf).map(Done::more))
                .await
        }

        /// Sends `buf` to the one peer; see [`send`](Self::send).
        ///
        /// # Errors
        ///
        /// What the system says.
        pub fn poll_send(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.io.poll(cx, Direction::Write, |socket| {
                socket.send(buf).map(Done::more)
            })
        }

        /// Sends `buf` to the one peer, now.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if there is no room; otherwise what the system says.
        pub fn try_send(&self, buf: &[u8]) -> io::Result<usize> {
            self.io
                .try_now(Direction::Write, |socket| socket.send(buf).map(Done::more))
        }

        /// Waits for a datagram and takes it; returns its length.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost when it is dropped.
        ///
        /// # Errors
        ///
        /// What the system says; for example that an earlier datagram was refused.
        pub async fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
            self.io
                .run(Direction::Read, |socket| socket.recv(buf).map(Done::more))
                .await
        }

        /// Takes a datagram; see [`recv`](Self::recv).
        ///
        /// # Errors
        ///
        /// What the system says.
        pub fn poll_recv(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
            self.io.poll(cx, Direction::Read, |socket| {
                socket.recv(buf).map(Done::more)
            })
        }

        /// Takes a datagram, now.
        ///
        /// # Errors
        ///
        /// `WouldBlock` if there is none; otherwise what the system says.
        pub fn try_recv(&self, buf: &mut [u8]) -> io::Result<usize> {
            self.io
                .try_now(Direction::Read, |socket| socket.recv(buf).map(Done::more))
        }

        /// Waits for a datagram and takes it; returns its length and who has sent it.
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost when it is dropped.
        ///
        /// # Errors
        ///
        /// What the system says; for example that an earlier datagram was refused.
        pub async fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, $addr)> {
            self.io
                .run(Direction::Read, |socket| {
                    socket.recv_from(buf).map(Done::more)
                })
                .await
        }

        /// Takes a datagram; see [`recv_from`](Self::recv_from).
        ///
        /// # Errors
        ///
        /// What the system says.
        pub fn poll_recv_from(
            &self,
            cx: &mut Context<'_>,
            buf: &mut [u8],
        ) -> Poll<io::Result<(usize, $addr)>> {
            self.io.poll(cx, Direction::Read, |socket| {
                socket.recv_from(buf).map(Done::more)
            })
        }

        /// Takes a datagram, now; see [`recv_from`](Self::recv_from).
        ///
        /// # Errors
        ///
        /// `WouldBlock` if there is none; otherwise what the system says.
        pub fn try_recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, $addr)> {
            self.io.try_now(Direction::Read, |socket| {
                socket.recv_from(buf).map(Done::more)
            })
        }
    };
}
pub(super) use datagram;
