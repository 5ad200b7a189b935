"""What a record of processing activities needs beside the contract: the section ``privacy`` of project.yaml.

Source: Regulation (EU) 2016/679 (GDPR), Article 30(1). Which columns hold personal data stands in the contract and is not repeated here.
"""

from leitstand.contract import Bilingual, Frozen


class Privacy(Frozen):
    """What only people know about the processing. What is left out is told as missing.

    Parameters
    ----------
    controller : name and contact details, Art. 30(1)(a)
    data_protection_officer : name and contact details, where there is one
    purpose : what the data are processed for, Art. 30(1)(b)
    legal_basis : such as Art. 6(1)(b) GDPR, and Art. 9(2) for special categories
    data_subjects : whose data they are, Art. 30(1)(c)
    recipients : who else gets them, Art. 30(1)(d)
    third_countries : transfers out of the European Economic Area with their safeguards, Art. 30(1)(e)
    erasure : time limits for the training data, Art. 30(1)(f); those of the prediction log stand in ``serving.log_days``
    security : technical and organisational measures, Art. 30(1)(g) and 32
    impact_assessment : whether one under Art. 35 was made, and where it lies
    """

    controller: str | None = None
    data_protection_officer: str | None = None
    purpose: Bilingual | None = None
    legal_basis: Bilingual | None = None
    data_subjects: Bilingual | None = None
    recipients: Bilingual | None = None
    third_countries: Bilingual | None = None
    erasure: Bilingual | None = None
    security: Bilingual | None = None
    impact_assessment: Bilingual | None = None
