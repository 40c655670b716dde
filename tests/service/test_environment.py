"""What worker processes inherit."""

from pyserini_qpeft.service.environment import worker_environment


def test_a_worker_does_not_get_the_token() -> None:
    assert "secret" not in worker_environment({"QPEFT_TOKEN": "secret", "HOME": "/root"}).values()
    assert worker_environment({"HOME": "/root"})["HOME"] == "/root"


def test_a_setting_of_the_user_is_kept() -> None:
    names = ("GOMP_SPINCOUNT", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    assert set(names) <= set(worker_environment({}))
    given = dict.fromkeys(names, "7")
    assert {name: worker_environment(given)[name] for name in names} == given
    assert "GOMP_SPINCOUNT" not in worker_environment({"OMP_WAIT_POLICY": "active"})
