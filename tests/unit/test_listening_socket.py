"""What every connection to the server takes over from the socket that it came in by."""

from __future__ import annotations

import socket

from stratopt.cli.server_process import _listen


def test_an_answer_in_two_writes_does_not_wait_for_the_first_to_be_acknowledged() -> None:
    with _listen("127.0.0.1", 0) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
