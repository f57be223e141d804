"""Let a step that waits for others wait for all of them, however often the broker delivers a task.

Merlin lets a step wait in a Celery chord, for which Redis counts the tasks that were added and those that ended. A task
that is delivered twice (its worker died after its last word, or the visibility timeout passed) is counted twice, and
the step begins before the last tasks have ended. Here each task counts once.
"""

import hashlib

from celery.backends.redis import RedisBackend

ADD_ONCE = "if redis.call('SADD', KEYS[1], ARGV[1]) == 1 then redis.call('INCR', KEYS[2]) end"
DAY = 24 * 60 * 60


def count_once() -> None:
    """Count each task once in chords, from now on, in this process."""
    if RedisBackend.add_to_chord is not _add_to_chord:
        RedisBackend.add_to_chord = _add_to_chord
        RedisBackend.on_chord_part_return = _count_end_once(RedisBackend.on_chord_part_return)


def _add_to_chord(self, group_id, result) -> None:
    """Celery's method, for a task that may have been added before: in one go, or a death in between would count it."""
    added = self.get_key_for_group(group_id, ".added")
    self.client.eval(ADD_ONCE, 2, added, self.get_key_for_group(group_id, ".t"), _short(result.id))
    self.client.expire(added, DAY)


def _count_end_once(celerys):
    def on_chord_part_return(self, request, state, result, **options):
        if request.group:
            ended = self.get_key_for_group(request.group, ".ended")
            first = self.client.sadd(ended, _short(request.id))
            self.client.expire(ended, DAY)
            if not first:
                return None
            try:
                return celerys(self, request, state, result, **options)
            except BaseException:  # not counted: whoever does the task again has to be
                self.client.srem(ended, _short(request.id))
                raise
        return celerys(self, request, state, result, **options)

    return on_chord_part_return


def _short(task_id: str) -> bytes:
    """Merlin's ids are paths; sixteen bytes tell them apart, and the broker's memory stays small."""
    return hashlib.blake2b(task_id.encode(), digest_size=16).digest()
