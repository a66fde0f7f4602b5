import pytest
import torch

from graphattn.convert import from_transformers

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 12}


def test_another_model_is_refused_by_name(transformers):
    with pytest.raises(TypeError, match=r"BertModel or GPT2Model or ViTModel .* got RobertaModel$"):
        from_transformers(transformers.RobertaModel(transformers.RobertaConfig(vocab_size=9, **SIZES)))
    with pytest.raises(TypeError, match=r"got Linear$"):
        from_transformers(torch.nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"got the class BertModel$"):
        from_transformers(transformers.BertModel)


def test_a_model_with_a_head_is_sent_to_its_base(transformers):
    with pytest.raises(TypeError, match="got BertForMaskedLM; convert its base_model"):
        from_transformers(transformers.BertForMaskedLM(transformers.BertConfig(vocab_size=9, **SIZES)))


def test_a_class_of_the_same_name_is_not_the_librarys(transformers):
    class BertModel(transformers.BertModel):
        """Computes what it likes."""

    with pytest.raises(TypeError, match="got BertModel"):
        from_transformers(BertModel(transformers.BertConfig(vocab_size=9, **SIZES)))
