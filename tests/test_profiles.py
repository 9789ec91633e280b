"""The registries of profiles: the format, the decoder and the encoder have the same ones."""

import pranc_codec
from pranc_codec import decoder
from pranc_codec.encoder.profiles import ENCODERS, EncoderProfile
from pranc_codec.format import bitstream
from pranc_codec.profile import Contents, DecoderProfile


def test_all_registries_have_the_same_profiles():
    assert set(bitstream.PROFILES.values()) == set(decoder.PROFILES) == set(ENCODERS)
    assert all(isinstance(profile, DecoderProfile) for profile in decoder.PROFILES.values())
    assert all(isinstance(profile, EncoderProfile) for profile in ENCODERS.values())


def test_a_decoder_is_found_by_its_name_alone(encoded, monkeypatch):
    """Another implementation under a name decodes, analyzes and limits the files of that name."""
    real, asked = decoder.PROFILES["mlp"], []

    class Negative:
        progressive = False

        def check_limits(self, header, limits, pixels):
            asked.append("limits")

        def most_halvings(self, header):
            return 0

        def render(self, header, sections, view, device):
            return 1 - real.render(header, sections, view, device)

        def contents(self, header, sections):
            return Contents(layers=())

    before = pranc_codec.decode_array(encoded).astype(int)
    monkeypatch.setitem(decoder.PROFILES, "mlp", Negative())
    assert abs(255 - pranc_codec.decode_array(encoded) - before).max() <= 1
    assert pranc_codec.analyze(encoded).layers == ()
    assert "limits" in asked
