"""A private broker leaves nothing behind."""

import os

import pytest

from sim2seq.workflow import broker


@pytest.mark.parametrize("place", ["_write_app_yaml", "Guarded"])
def test_stopped_before_it_began_the_broker_leaves_no_folder(monkeypatch, place):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(broker, place, stop)
    private = broker.Broker()
    with pytest.raises(KeyboardInterrupt):
        private.__enter__()
    assert not os.path.exists(private.folder)
