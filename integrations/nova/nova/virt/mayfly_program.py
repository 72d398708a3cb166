# SPDX-License-Identifier: Apache-2.0
"""mayfly(1), as the driver of this package runs it: a process for each verb.

For whoever asked Nova, by the token; where nobody did, for the host.
"""

import os
import subprocess

from oslo_concurrency import processutils
from oslo_log import log as logging
from oslo_serialization import jsonutils
from oslo_utils import excutils

import nova.conf
from nova import exception
from nova.i18n import _

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

MISSING = 'missing'
HALF_DONE = 'needs-recover'
DENIED = 'denied'
TIMED_OUT = 'timed-out'  # our own: Mayfly did not end


class Failed(exception.NovaException):
    msg_fmt = _("mayfly %(verb)s: %(reason)s")


def _environment(context):
    """Without credentials of nova-compute's own.

    Then Mayfly acts for whoever asked Nova, by the token, and where nobody
    did (at boot, in a periodic task) for the host.
    """
    env = {name: value for name, value in os.environ.items()
           if not name.startswith('OS_')}
    if token_of(context):
        env['OS_AUTH_URL'] = CONF.barbican.auth_endpoint
    return env


def token_of(context):
    return getattr(context, 'auth_token', None)


def run(context, verb, *words, absent=False, timeout_sec=None):
    """Runs mayfly, and returns the document that it prints.

    If something was left half done, by a command that was killed, it is put
    in order first, and the command is said again.

    :param absent: there may be nothing of this instance: None then
    :param timeout_sec: for what changes nothing; it is killed then
    """
    document = _say(context, verb, *words, timeout_sec=timeout_sec)
    if _name_of_error(document) == HALF_DONE:
        recover(context)
        document = _say(context, verb, *words)
    if absent and _name_of_error(document) == MISSING:
        return None
    if 'error' in document:
        raise Failed(verb=verb, reason=document['error']['text'],
                     name=_name_of_error(document))
    return document


def recover(context):
    """Of the whole host; what remains is logged, and is for others."""
    document = _say(context, 'recover')
    if 'error' in document:
        LOG.warning('mayfly recover: %s', document['error']['text'])


def _name_of_error(document):
    return document.get('error', {}).get('name')


def _say(context, verb, *words, timeout_sec=None):
    command = ['mayfly', *verb.split(), '--json', *words]
    token = token_of(context)
    if token:
        command += ['--token-fd', '0']
    started = []
    try:
        out, err = processutils.execute(
            *command, process_input=token, env_variables=_environment(context),
            check_exit_code=False, timeout=timeout_sec,
            on_execute=started.append)
        document = jsonutils.loads(out)
    except subprocess.TimeoutExpired:
        started[0].kill()
        raise Failed(verb=verb, name=TIMED_OUT, reason=_(
            "no answer in %d seconds") % timeout_sec)
    except (OSError, ValueError) as e:
        raise Failed(verb=verb, reason=str(e))
    for line in err.splitlines():
        LOG.info('%s', line)
    return document


class Export(object):
    """A disk as it is now, to be read once, as a raw image.

    What was read is an image only if Mayfly ends well, so the end of the file
    is told only then, and the reader never takes a part for the whole. What
    stands against it is told before anybody is asked to read.

    A reader that begins again, as Nova does after a lost connection, gets
    what is left: so it has to say how much it has in the end.
    """

    BLOCK = 64 << 10
    PATIENCE_SEC = 60
    running = {}  # by the UUID of the instance, of which Nova takes one

    def __init__(self, context, uuid, role):
        self.uuid = uuid
        self.given_bytes = 0
        self.ended = False
        self._start(context, uuid, role)
        self.running[uuid] = self
        try:
            self.begun = self.file.read(self.BLOCK)
            if not self.begun:
                self._check_end()
        except Exception:
            with excutils.save_and_reraise_exception():
                self.close()

    def _start(self, context, uuid, role):
        reader, writer = os.pipe()
        self.file = os.fdopen(reader, 'rb')
        try:
            command = ['mayfly', 'export', '--json', uuid, '--disk', role,
                       '--plaintext', '--output-fd', str(writer)]
            if token_of(context):
                command += ['--token-fd', '0']
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, pass_fds=(writer,),
                env=_environment(context))
        except OSError as e:
            self.file.close()
            raise Failed(verb='export', reason=str(e))
        finally:
            os.close(writer)
        self.process.stdin.write((token_of(context) or '').encode())
        self.process.stdin.close()

    def read(self, size=-1):
        data = self._read(size)
        self.given_bytes += len(data)
        return data

    def _read(self, size):
        if self.begun:
            data = self.begun if size < 0 else self.begun[:size]
            self.begun = self.begun[len(data):]
            return data + self._read(size) if size < 0 else data
        data = self.file.read(size)
        if not data and size != 0:
            self._check_end()
        return data

    def _check_end(self):
        said = self.process.stdout.read()
        if self.process.wait() == 0:
            self.ended = True
            return
        try:
            error = jsonutils.loads(said)['error']
        except (ValueError, KeyError):  # it was killed
            error = {'name': None, 'text': 'ended with %d' %
                     self.process.returncode}
        raise Failed(verb='export', reason=error['text'],
                     name=error['name'])

    def check_read(self, size_bytes):
        """Has a reader that got so much got all of it?"""
        if self.ended and size_bytes == self.given_bytes:
            return
        raise Failed(verb='export', reason=_(
            "the image service has %(has)d bytes, and was given %(given)d: "
            "the snapshot is not whole; take another") % {
                'has': size_bytes, 'given': self.given_bytes})

    def end(self):
        """For who removes the disk: the reader gets an error."""
        self.process.terminate()
        try:
            self.process.wait(self.PATIENCE_SEC)
        except subprocess.TimeoutExpired:
            self.process.kill()  # what it leaves is undone by recover
            self.process.wait()

    def close(self):
        """Also ends an export that nobody reads any more."""
        self.running.pop(self.uuid, None)
        self.file.close()
        self.process.stdout.close()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        self.close()


def begin_export(context, uuid, role):
    """After an export of this instance that was cut off, that is undone."""
    try:
        return Export(context, uuid, role)
    except Failed as e:
        if e.kwargs.get('name') != HALF_DONE:
            raise
    recover(context)
    return Export(context, uuid, role)
