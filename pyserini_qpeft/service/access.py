"""Who may ask: bearer tokens, and the addresses that need none."""

import hashlib
import hmac
import ipaddress
import os
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from pyserini_qpeft.errors import QPeftError
from pyserini_qpeft.service.config import TOKEN_VARIABLE, ServerConfig

_LOCAL_NAMES = {"localhost", "localhost.localdomain", "ip6-localhost"}


class Access:
    """Decides which requests are answered.

    Args:
        tokens: The bearer tokens that are accepted; none means that no token is needed.
        local_only: Whether the `Host` header must name this machine's loopback address. Without a token this keeps a
            page of another site from asking through the browser of somebody at this machine (DNS rebinding).
    """

    def __init__(self, tokens: Iterable[str] = (), *, local_only: bool = False) -> None:
        # Digests have one length, so that a comparison says nothing about that of a token.
        self._digests = [_digest(token) for token in dict.fromkeys(tokens)]
        self.local_only = local_only

    @property
    def needs_token(self) -> bool:
        """Whether requests need a token."""
        return bool(self._digests)

    def token_number(self, authorization: str | None) -> int | None:
        """The number of the token that a request has, or None if it has none that is accepted.

        All tokens are compared, each in constant time.

        Args:
            authorization: The header `Authorization`.
        """
        scheme, _, token = (authorization or "").partition(" ")
        given = _digest(token.strip() if scheme.lower() == "bearer" else "")
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return matches.index(True) if any(matches) else None

    def refuses_host(self, host: str | None) -> bool:
        """Whether the header `Host` names another machine than it may."""
        if not self.local_only:
            return False
        try:
            name = urlsplit(f"//{host or ''}").hostname
        except ValueError:  # a bracket without its other half
            return True
        return not is_loopback(name or "")


def access_for(config: ServerConfig) -> Access:
    """Who may ask a server with this configuration.

    Raises:
        QPeftError: The file of tokens cannot be used, or the address may be reached by other machines and there is no
            token.
    """
    tokens = read_tokens(config)
    local = is_loopback(config.host)
    if not tokens and not local and not config.insecure:
        raise QPeftError(
            f"other machines can reach {config.host}, and there is no token: name a file with --token-file, set "
            f"{TOKEN_VARIABLE}, or serve everybody with --insecure."
        )
    return Access(tokens, local_only=local and not tokens)


def read_tokens(config: ServerConfig) -> Sequence[str]:
    """The tokens in the file, or in the environment.

    Raises:
        QPeftError: The file cannot be read, holds no token, or a token has characters that a header cannot carry.
    """
    if config.token_file is None:
        named = os.environ.get(TOKEN_VARIABLE)
        if named is None:
            return []
        lines, where = [named], f"the variable {TOKEN_VARIABLE}"
    else:
        where = str(config.token_file)
        try:
            lines = config.token_file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise QPeftError(
                f"cannot read the tokens in {where}: {getattr(error, 'strerror', None) or error}."
            ) from error
    tokens = [line.strip() for line in lines if line.strip()]
    if not tokens:
        raise QPeftError(f"{where} holds no token.")
    if any(not token.isascii() or not token.isprintable() or " " in token for token in tokens):
        raise QPeftError(f"a token in {where} has a character other than ASCII letters, digits and punctuation.")
    return tokens


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address or a name."""
    if host.lower() in _LOCAL_NAMES:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
